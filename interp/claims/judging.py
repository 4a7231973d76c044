"""From tables of results to outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from interp.claims.readings import Reading, readings
from interp.claims.rules import RULES, Sample, Verdict
from interp.inference.scores import Scores

Evidence: TypeAlias = Scores | pd.DataFrame
"""Cross-validated scores of controls, or a pooled table of mixing or of token identity by layer."""


def judge(claim: str, evidence: Evidence) -> dict[str, Verdict]:
    """The verdict of each reading of `claim` that this kind of evidence can answer, by the reading's id.

    Raises
    ------
    InputError
        For an unknown claim.
    """
    study = _study(evidence)
    return {r.id: RULES[r.rule](_sample(r, evidence)) for r in readings(claim) if r.study == study}


def _study(evidence: Evidence) -> str:
    if isinstance(evidence, Scores):
        return "property-inference"
    return "token-identity" if "view" in evidence else "residual-mixing"


def _sample(reading: Reading, evidence: Evidence) -> Sample:
    wanted = reading.statistic
    if isinstance(evidence, Scores):
        scoring, metric = wanted["scoring"], wanted["metric"]
        selection = wanted.get("selection", str(evidence.cells["selection"].iloc[0]))
        mine = _scored(evidence, wanted["control"], metric, scoring, selection)
        if "against" not in wanted:
            return Sample(*mine)
        return Sample(*mine, *_scored(evidence, wanted["against"], metric, scoring, selection))
    return _at_depth(evidence, {k: v for k, v in wanted.items() if k != "depth"}, wanted["depth"])


def _scored(scores: Scores, control: str, metric: str, scoring: str, selection: str) -> tuple[float, np.ndarray]:
    if control not in set(scores.cells["control"]) and control not in scores.skipped:
        return float("nan"), np.full(scores.replicates.shape[1], np.nan)
    return scores.sample(control, metric, scoring, selection)


def _at_depth(pooled: pd.DataFrame, where: Mapping[str, str], depth: str) -> Sample:
    """The pooled value after the block at `depth` (``middle`` or ``last``), of the rows whose columns are `where`."""
    mine = pooled[(pooled[list(where)] == pd.Series(where)).all(axis=1)]
    if mine.empty:
        return Sample(float("nan"), np.array([np.nan]))
    last = int(mine["layer"].max())
    row = mine[mine["layer"] == (last if depth == "last" else (last + 1) // 2)].iloc[0]
    return Sample(float(row["value"]), np.asarray(row["replicates"], dtype=float))


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
