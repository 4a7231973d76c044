"""Description of the human norm sets, for machines that have only the embedded one.

McRae's norms may not be passed on; what is committed are numbers and curves about them, none of their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from interp import norms as norm_sets
from interp import reference
from interp.store import Tables
from interp.verification import Compared, compared

NAME, ENTRY = "norms", "human"
"""Where these results lie in ``book/reference``."""

TOLERANCE = 2e-5
"""Of numbers that count, and of spectra."""

HUMAN = ("mcrae", "buchanan", "binder")


def tables(names: Sequence[str] = HUMAN) -> Tables:
    """Description and marginals of norm sets, and what the embedded set shares with McRae's, if that is among them.

    Tables ``description`` (one row a set, see `norms.describe`), ``marginals`` (see `norms.marginals`) and ``overlap``
    (one row, see `norms.Overlap`).
    """
    sets = [norm_sets.load(name) for name in names]
    found = {
        "description": pd.DataFrame([norm_sets.describe(s) for s in sets]),
        "marginals": pd.concat([norm_sets.marginals(s) for s in sets], ignore_index=True),
    }
    if "mcrae" in names:
        common = norm_sets.overlap(norm_sets.load("everyday"), sets[list(names).index("mcrae")])
        found["overlap"] = pd.DataFrame([{**asdict(common), "most": common.most}])
    return found


def make() -> None:
    """Compute and write them.

    Raises
    ------
    InputError
        If the norms are not on this machine.
    """
    identities = {name: norm_sets.load(name).checksum for name in (*HUMAN, "everyday")}
    reference.write(NAME, ENTRY, tables(), command=f"make reference ONLY={NAME}", identities=identities)


def again() -> Compared:
    """All of it computed anew, beside what is committed."""
    fresh = tables()
    return compared("everything", [(fresh[name], known, ()) for name, known in read().items()], TOLERANCE)


def read() -> Tables:
    """The tables that `make` wrote."""
    return {table: reference.load(NAME, table) for table in ("description", "marginals", "overlap")}
