"""The operating characteristics of the evaluation protocols, for `make reference`."""

from __future__ import annotations

import pandas as pd

from interp import reference, store
from interp.store import Tables
from interp.studies.ground_truth import DOSES, NULLS, planted_norms
from interp.verification import Compared, compared

NAME = "ground-truth"
"""Folder of these results in ``book/reference``."""

SUBJECT, NORMS = "minilm", "everyday"
ENTRY = f"{SUBJECT}-{NORMS}"

REPLICATES = {NULLS: 20, DOSES: 10}
"""A false-positive rate near 5 % takes more sets of norms than a power curve."""


KEYS = {"protocols": ("condition", "replicate", "protocol"), "shapes": ("condition", "replicate")}
"""What tells the rows of each table apart."""


def tables() -> Tables:
    """Every planted set."""
    runs = [planted_norms(SUBJECT, NORMS, conditions, replicates=n) for conditions, n in REPLICATES.items()]
    return {table: pd.concat([run[table] for run in runs], ignore_index=True) for table in KEYS}


def again(*, whole: bool) -> Compared:
    """One planted set computed anew, or all of them, beside what is committed."""
    known = {table: reference.load(NAME, table) for table in KEYS}
    if whole:
        return compared("every planted set", [(fresh, known[t], KEYS[t]) for t, fresh in tables().items()])
    first = NULLS[0].name
    fresh = planted_norms(SUBJECT, NORMS, NULLS[:1], replicates=1)
    same = {t: rows[(rows["condition"] == first) & (rows["replicate"] == 0)] for t, rows in known.items()}
    return compared("one planted set", [(fresh[t], same[t], keys) for t, keys in KEYS.items()])


def make() -> None:
    """Compute and write (what is in the store is replayed)."""
    before = len(store.used)
    reference.write(
        NAME,
        ENTRY,
        tables(),
        command=f"make reference ONLY={NAME}",
        used=store.used[before:],
    )
