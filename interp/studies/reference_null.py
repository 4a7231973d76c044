"""Permutation tests on McRae's norms, for `make reference`."""

from __future__ import annotations

import pandas as pd

from interp import reference, store
from interp.studies.permutation_null import permutation_null
from interp.verification import Compared, compared

NAME = "permutation-null"
"""Folder of these results in ``book/reference``."""

SUBJECT, NORMS = "minilm", "mcrae"
ENTRY = f"{SUBJECT}-{NORMS}"
PERMUTATIONS = 499
CONTROLS = ("shuffle-rows", "taxonomy-within")
"""Is there anything at all; and is there anything beyond the category?"""


def tests() -> pd.DataFrame:
    """One row a control and metric."""
    tables = [
        permutation_null(SUBJECT, NORMS, permutations=PERMUTATIONS, control=control).table().assign(control=control)
        for control in CONTROLS
    ]
    return pd.concat(tables, ignore_index=True).assign(norms=NORMS, subject=SUBJECT)


def again(*, whole: bool) -> Compared:
    """The observed scores computed anew, or every permutation, beside what is committed."""
    known = reference.load(NAME, "tests")
    if whole:
        # How many permutations were as good is what p tells.
        return compared("every permutation", [(tests().drop(columns="as_good"), known, ("control", "metric"))])
    null = permutation_null(SUBJECT, NORMS, permutations=1, control=CONTROLS[0])
    observed = pd.DataFrame({"metric": null.metrics, "observed": [null.observed(m) for m in null.metrics]})
    return compared("observed scores", [(observed, known[known["control"] == CONTROLS[0]], ("metric",))])


def make() -> None:
    """Compute and write (blocks of permutations in the store are replayed)."""
    before = len(store.used)
    reference.write(
        NAME,
        ENTRY,
        {"tests": tests()},
        command=f"make reference ONLY={NAME}",
        used=store.used[before:],
    )
