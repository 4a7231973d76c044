"""From tables of results to outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from interp.claims.evidence import KINDS, Evidence
from interp.claims.readings import readings
from interp.claims.rules import RULES, Verdict
from interp.multiplicity import holm
from interp.resampling import with_interval

LEVEL = 0.05
"""Family-wise: of the readings of one claim on one body of evidence."""


def judge(claims: str | Sequence[str], evidence: Evidence, selection: str | None = None) -> dict[str, Verdict]:
    """The verdict of each reading that this kind of evidence can answer, by the reading's id.

    The readings of one claim on one body of evidence are a family: what was decided on its own and is not after Holm's
    correction becomes undecided, and the note says so.

    Parameters
    ----------
    claims
        One claim or several; each is a family of its own.
    selection
        Scores are judged with the latent sizes of this rule; by default of the first one that was run.

    Raises
    ------
    InputError
        For an unknown claim.
    """
    study, kind = next((name, kind) for name, kind in KINDS.items() if kind.recognises(evidence))
    found: dict[str, Verdict] = {}
    for claim in [claims] if isinstance(claims, str) else claims:
        mine = [reading for reading in readings(claim) if reading.study == study]
        found |= corrected({r.id: RULES[r.rule](kind.sample(evidence, r.statistic, selection)) for r in mine})
    return found


def corrected(family: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Verdicts of one family after Holm's correction; those not run do not count."""
    adjusted = holm(np.array([v.p for v in family.values()]))
    return {name: _after(v, float(p)) for (name, v), p in zip(family.items(), adjusted, strict=True)}


def _after(v: Verdict, p: float) -> Verdict:
    if v.outcome in ("undecided", "not run") or p <= LEVEL:
        return replace(v, p_holm=p)
    note = f"{v.outcome} on its own, not after Holm's correction (p = {p:.2f})"
    return replace(v, outcome="undecided", p_holm=p, note=f"{v.note}; {note}" if v.note else note)


def verdict_table(verdicts: Mapping[str, Mapping[str, Verdict]]) -> pd.DataFrame:
    """One row a reading: its name, what it states, and an outcome for each body of evidence (column)."""
    statement = {r.id: r.statement for r in readings()}
    ids = list(dict.fromkeys(i for by_reading in verdicts.values() for i in by_reading))
    rows = []
    for reading in ids:
        row = {"reading": reading, "states": statement[reading]}
        for name, by_reading in verdicts.items():
            v = by_reading.get(reading)
            row[name] = "–" if v is None else told(v)
        rows.append(row)
    return pd.DataFrame(rows)


def told(v: Verdict) -> str:
    """An outcome in words, with its statistic and interval."""
    if v.outcome == "not run":
        return f"not run ({v.note})"
    return f"{v.outcome}: {with_interval(v.statistic, v.low, v.high)}" + (f", {v.note}" if v.note else "")
