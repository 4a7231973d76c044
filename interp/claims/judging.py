"""From tables of results to outcomes."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from interp.claims.evidence import KINDS, Evidence
from interp.claims.readings import readings
from interp.claims.rules import RULES, Verdict


def judge(claim: str, evidence: Evidence, selection: str | None = None) -> dict[str, Verdict]:
    """The verdict of each reading of `claim` that this kind of evidence can answer, by the reading's id.

    Scores are judged with the latent sizes of `selection`; by default the first one that was run.

    Raises
    ------
    InputError
        For an unknown claim.
    """
    study, kind = next((name, kind) for name, kind in KINDS.items() if kind.recognises(evidence))
    mine = [reading for reading in readings(claim) if reading.study == study]
    return {r.id: RULES[r.rule](kind.sample(evidence, r.statistic, selection)) for r in mine}


def verdict_table(verdicts: Mapping[str, Mapping[str, Verdict]]) -> pd.DataFrame:
    """One row a reading: claim, statement, and an outcome for each body of evidence (column)."""
    statement = {r.id: (r.claim, r.statement) for r in readings()}
    ids = list(dict.fromkeys(i for by_reading in verdicts.values() for i in by_reading))
    rows = []
    for reading in ids:
        claim, text = statement[reading]
        row = {"claim": claim, "reading": text}
        for name, by_reading in verdicts.items():
            v = by_reading.get(reading)
            row[name] = "–" if v is None else _told(v)
        rows.append(row)
    return pd.DataFrame(rows)


def _told(v: Verdict) -> str:
    if v.outcome == "not run":
        return f"not run ({v.note})"
    return f"{v.outcome}: {v.statistic:z.2f} [{v.low:z.2f}, {v.high:z.2f}]" + (f", {v.note}" if v.note else "")
