"""The operating characteristics of the evaluation protocols, for `make reference`."""

from __future__ import annotations

import pandas as pd

from interp import reference, store
from interp.studies.ground_truth import DOSES, NULLS, planted_norms

NAME = "ground-truth"
"""Folder of these results in ``book/reference``."""

SUBJECT, NORMS = "minilm", "everyday"
ENTRY = f"{SUBJECT}-{NORMS}"

REPLICATES = {NULLS: 20, DOSES: 10}
"""A false-positive rate near 5 % takes more sets of norms than a power curve."""


def make() -> None:
    """Compute and write (what is in the store is replayed)."""
    before = len(store.used)
    runs = [planted_norms(SUBJECT, NORMS, conditions, replicates=n) for conditions, n in REPLICATES.items()]
    reference.write(
        NAME,
        ENTRY,
        {table: pd.concat([run[table] for run in runs], ignore_index=True) for table in runs[0]},
        command=f"make reference ONLY={NAME}",
        used=store.used[before:],
    )
