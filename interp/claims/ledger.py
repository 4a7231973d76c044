"""Every outcome in one table: of the chapters that were executed here, and of the committed reference results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from interp import notebook, reference
from interp.claims.readings import readings
from interp.claims.rules import Verdict

MIME = "application/vnd.interp.verdicts+json"
"""What a chapter's table of verdicts carries along, so that the ledger need not be computed again."""

BODY = ["subject", "data", "mapping", "source"]
"""What tells one body of evidence from another. Source: ``build`` or ``reference``."""

JUDGED = ["outcome", "statistic", "low", "high", "level", "p", "p_holm", "note"]

COLUMNS = ["claim", "reading", *BODY, *JUDGED]


def records(verdicts: Mapping[str, Mapping[str, Verdict]], **labels: str) -> list[dict[str, Any]]:
    """Verdicts as plain rows.

    Parameters
    ----------
    verdicts
        By body of evidence, then by reading. The body's name is the subject or the data, whichever `labels` lacks.
    labels
        ``subject``, ``data`` and, where it applies, ``mapping``.
    """
    missing = next(k for k in ("subject", "data") if k not in labels)
    claim = {r.id: r.claim for r in readings()}
    rows = []
    for body, by_reading in verdicts.items():
        for reading, v in by_reading.items():
            judged = {k: _plain(getattr(v, k)) for k in JUDGED}
            rows.append({"claim": claim[reading], "reading": reading, missing: body, **labels, **judged})
    return rows


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None


def judged(path: Path) -> list[dict[str, Any]]:
    """The outcomes that an executed chapter filed; only of readings that it is the one to judge."""
    mine = {r.id for r in readings() if r.chapter == path.stem}
    return [{"mapping": "", **row} for table in notebook.filed(path, MIME) for row in table if row["reading"] in mine]


def of_build(folder: Path) -> pd.DataFrame:
    """The outcomes in the executed chapters of a folder; each reading from the chapter that judges it."""
    return _together([of_chapter(path) for path in sorted(folder.glob("*.ipynb"))])


def of_chapter(path: Path) -> pd.DataFrame:
    """The outcomes in an executed chapter, of the readings that this chapter judges."""
    return _table(judged(path), "build")


def of_reference() -> pd.DataFrame:
    """The outcomes of the reference results: every control on the human norms, and the chapters run at full size.

    Of the former those with the latent size by smallest validation error, on all concepts.
    """
    parts = []
    if reference.having("property-inference", "verdicts"):
        found = reference.load("property-inference", "verdicts").query("selection == 'argmin' and concepts == 'all'")
        parts.append(_table(found.rename(columns={"norms": "data"}).to_dict("records"), "reference"))
    if reference.having("chapters", "verdicts"):
        parts.append(_table(reference.load("chapters", "verdicts").to_dict("records"), "reference"))
    return _together(parts)


def _together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of outcomes, one under the other."""
    return pd.concat([t for t in parts if len(t)] or [_table([], "")], ignore_index=True)


def _table(rows: list[dict[str, Any]], source: str) -> pd.DataFrame:
    table = pd.DataFrame([{**dict.fromkeys(COLUMNS), "mapping": "", **row, "source": source} for row in rows])
    return table.reindex(columns=COLUMNS)


def ledger(folder: Path) -> pd.DataFrame:
    """The whole ledger: one row a reading and body of evidence, in the order of the readings.

    Of a norm set that was scored here and is a reference result, too, the outcome of the build is shown. A reading that
    was judged nowhere has one row: *not run*.
    """
    build = of_build(folder)
    known = of_reference()
    here = set(zip(build["reading"], build["subject"], build["data"], build["mapping"], strict=True))
    known = known[[key not in here for key in zip(*(known[c] for c in ("reading", *BODY[:3])), strict=True)]]
    found = _together([build, known])
    missing = [r for r in readings() if r.id not in set(found["reading"])]
    why = "no chapter that judges it has been executed here, and there is no reference result"
    none = pd.DataFrame([{"claim": r.claim, "reading": r.id, "outcome": "not run", "note": why} for r in missing])
    order = {r.id: i for i, r in enumerate(readings())}
    whole = pd.concat([found, none], ignore_index=True).reindex(columns=COLUMNS)
    whole[BODY] = whole[BODY].fillna("")
    return whole.sort_values("reading", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)
