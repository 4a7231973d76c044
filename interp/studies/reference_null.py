"""Permutation tests on McRae's norms, for `make reference`."""

from __future__ import annotations

import pandas as pd

from interp import reference, store
from interp.studies.permutation_null import permutation_null

NAME = "permutation-null"
"""Folder of these results in ``book/reference``."""

SUBJECT, NORMS = "minilm", "mcrae"
ENTRY = f"{SUBJECT}-{NORMS}"
PERMUTATIONS = 499
CONTROLS = ("shuffle-rows", "taxonomy-within")
"""Is there anything at all; and is there anything beyond the category?"""


def make() -> None:
    """Compute and write (blocks of permutations in the store are replayed)."""
    before = len(store.used)
    tables = [
        permutation_null(SUBJECT, NORMS, permutations=PERMUTATIONS, control=control).table().assign(control=control)
        for control in CONTROLS
    ]
    reference.write(
        NAME,
        ENTRY,
        {"tests": pd.concat(tables, ignore_index=True).assign(norms=NORMS, subject=SUBJECT)},
        command=f"make reference ONLY={NAME}",
        used=store.used[before:],
    )
