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
"""Scores of controls, a pooled table of mixing by layer, the relation probe's scores, or `attention_evidence`."""


def judge(claim: str, evidence: Evidence, selection: str | None = None) -> dict[str, Verdict]:
    """The verdict of each reading of `claim` that this kind of evidence can answer, by the reading's id.

    Scores are judged with the latent sizes of `selection`; by default the first one that was run.

    Raises
    ------
    InputError
        For an unknown claim.
    """
    study = _study_of(evidence)
    return {r.id: RULES[r.rule](_sample(r, evidence, selection)) for r in readings(claim) if r.study == study}


def _study_of(evidence: Evidence) -> str:
    if isinstance(evidence, Scores):
        return "property-inference"
    if {"input", "negatives"} <= set(evidence.columns):
        return "relation-probe"
    return "attention-maps" if "source" in evidence.columns else "residual-mixing"


def attention_evidence(**tables: pd.DataFrame) -> pd.DataFrame:
    """Pooled tables about attention maps under one roof, each row marked with the `source` it comes from.

    Parameters
    ----------
    tables
        By source (``structure``, ``swaps``, ``crossed``): columns `value`, `replicates` and the keys that a reading's
        statistic names.
    """
    return pd.concat([t.assign(source=name) for name, t in tables.items()], ignore_index=True)


def _of_maps(evidence: pd.DataFrame, wanted: Mapping[str, str]) -> Sample:
    """The one row that a reading names (over all layers, unless it says which); ``identity`` compares it with 1."""
    keys = {k: v for k, v in wanted.items() if k != "against"} | {"layer": int(wanted.get("layer", 0))}
    if not set(keys) <= set(evidence.columns):
        return Sample(float("nan"), np.array([np.nan]), float("nan"), np.array([np.nan]))
    rows = evidence[np.logical_and.reduce([evidence[k] == v for k, v in keys.items()])]
    if rows.empty:
        return Sample(float("nan"), np.array([np.nan]), float("nan"), np.array([np.nan]))
    (row,) = rows.to_dict("records")
    replicates = np.asarray(row["replicates"], dtype=float)
    if wanted.get("against") == "identity":
        return Sample(float(row["value"]), replicates, 1.0, np.ones_like(replicates))
    return Sample(float(row["value"]), replicates)


def _sample(reading: Reading, evidence: Evidence, selection: str | None) -> Sample:
    wanted = reading.statistic
    if isinstance(evidence, Scores):
        scoring, metric = wanted["scoring"], wanted["metric"]
        selection = selection or str(evidence.cells["selection"].iloc[0])
        mine = _scored(evidence, wanted["control"], metric, scoring, selection)
        if "against" not in wanted:
            return Sample(*mine)
        return Sample(*mine, *_scored(evidence, wanted["against"], metric, scoring, selection))
    if reading.study == "relation-probe":
        return _probed(evidence, wanted)
    if reading.study == "attention-maps":
        return _of_maps(evidence, wanted)
    return _at_depth(evidence, wanted["method"], wanted["quantity"], wanted["depth"])


def _scored(scores: Scores, control: str, metric: str, scoring: str, selection: str) -> tuple[float, np.ndarray]:
    run = control in set(scores.cells["control"]) and metric in set(scores.cells["metric"])
    if not run and control not in scores.skipped:
        return float("nan"), np.full(scores.replicates.shape[1], np.nan)
    return scores.sample(control, metric, scoring, selection)


def _at_depth(pooled: pd.DataFrame, method: str, quantity: str, depth: str) -> Sample:
    """The pooled value after the block at `depth` (``middle`` or ``last``)."""
    mine = pooled[(pooled["method"] == method) & (pooled["quantity"] == quantity)]
    if mine.empty:
        return Sample(float("nan"), np.array([np.nan]))
    last = int(mine["layer"].max())
    row = mine[mine["layer"] == (last if depth == "last" else (last + 1) // 2)].iloc[0]
    return Sample(float(row["value"]), np.asarray(row["replicates"], dtype=float))


def _probed(pooled: pd.DataFrame, wanted: Mapping[str, str]) -> Sample:
    """Balanced accuracy as a share of the way from chance (0) to perfect (1), and what it is compared with."""

    def calibrated(name: str, task: str) -> tuple[float, np.ndarray]:
        mine = pooled[(pooled["input"] == name) & (pooled["task"] == task)]
        mine = mine[(mine["negatives"] == wanted["negatives"]) & (mine["split"] == wanted["split"])]
        if mine.empty:
            return float("nan"), np.array([np.nan])
        row = mine.iloc[0]
        return 2 * float(row["value"]) - 1, 2 * np.asarray(row["replicates"], dtype=float) - 1

    task = wanted.get("task", "hypernymy")
    if "against" not in wanted and "against-task" not in wanted:
        return Sample(*calibrated(wanted["input"], task))
    other = calibrated(wanted.get("against", wanted["input"]), wanted.get("against-task", task))
    return Sample(*calibrated(wanted["input"], task), *other)


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
