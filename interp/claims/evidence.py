"""What a reading's statistic is read off: one kind of evidence per study, told apart by its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp.claims.rules import Sample
from interp.inference.scores import Scores


@dataclass(frozen=True)
class SideBySide:
    """Scores of the same controls on several norm sets, or from several mappings."""

    by: Literal["norm sets", "mappings"]
    scores: Mapping[str, Scores]


Evidence: TypeAlias = Scores | SideBySide | pd.DataFrame
"""Scores of controls, or a pooled table with `value` and `replicates` in each row."""

NOTHING = Sample(float("nan"), np.array([np.nan]), float("nan"), np.array([np.nan]))
"""What a reading finds in evidence that has no such row."""


@dataclass(frozen=True)
class Kind:
    """One study's evidence."""

    recognises: Callable[[Evidence], bool]
    sample: Callable[[Any, Mapping[str, str], str | None], Sample]
    """The statistic that a reading names, with its replicates; the last argument is a rule for the latent size."""


def attention_evidence(**tables: pd.DataFrame) -> pd.DataFrame:
    """Pooled tables about attention maps under one roof, each row marked with the `source` it comes from.

    Parameters
    ----------
    tables
        By source (``structure``, ``swaps``, ``crossed``): columns `value`, `replicates` and the keys that a reading's
        statistic names.
    """
    return pd.concat([t.assign(source=name) for name, t in tables.items()], ignore_index=True)


def _of_scores(scores: Scores, wanted: Mapping[str, str], selection: str | None) -> Sample:
    """One control under one scoring, and the control it is compared with."""
    selection = selection or str(scores.cells["selection"].iloc[0])

    def scored(control: str) -> tuple[float, np.ndarray]:
        run = control in set(scores.cells["control"]) and wanted["metric"] in set(scores.cells["metric"])
        if not run and control not in scores.skipped:
            return float("nan"), np.full(scores.replicates.shape[1], np.nan)
        return scores.sample(control, wanted["metric"], wanted["scoring"], selection)

    if "against" not in wanted:
        return Sample(*scored(wanted["control"]))
    return Sample(*scored(wanted["control"]), *scored(wanted["against"]))


def _of_norm_sets(sets: SideBySide, wanted: Mapping[str, str], selection: str | None) -> Sample:
    """Whether the norm sets rank by one score as they do by another: Kendall's tau, on the same resamples.

    ``order``, ``like`` and ``rather-than`` are a control and its scoring. With ``rather-than``, the statistic is how
    much better the order agrees with the one than with the other.
    """
    if len(sets.scores) < 3:
        return replace(NOTHING, missing="takes three norm sets or more")

    def ranked_by(name: str) -> np.ndarray:
        control, scoring = wanted[name].split()
        asked = {"control": control, "metric": wanted["metric"], "scoring": scoring}
        samples = [_of_scores(scores, asked, selection) for scores in sets.scores.values()]
        return np.array([np.append(s.estimate, s.replicates) for s in samples])

    agreement = kendall(ranked_by("order"), ranked_by("like"))
    if "rather-than" in wanted:
        agreement = agreement - kendall(ranked_by("order"), ranked_by("rather-than"))
    return Sample(float(agreement[0]), agreement[1:])


def kendall(x: Float[np.ndarray, "set draw"], y: Float[np.ndarray, "set draw"]) -> Float[np.ndarray, "draw"]:
    """Kendall's tau (a) over the first axis, for every draw; NaN where a value is missing."""
    first, second = np.triu_indices(len(x), k=1)
    concordance = np.sign(x[first] - x[second]) * np.sign(y[first] - y[second])
    return concordance.mean(axis=0)


def _of_mappings(mappings: SideBySide, wanted: Mapping[str, str], selection: str | None) -> Sample:
    """One control's score from one mapping against the other's; with ``difference``, the difference itself."""
    if not {wanted["mapping"], wanted["against-mapping"]} <= set(mappings.scores):
        return replace(NOTHING, missing=f"takes {wanted['mapping']} and {wanted['against-mapping']}")
    asked = {k: wanted[k] for k in ("control", "metric", "scoring")}
    one, other = (
        _of_scores(mappings.scores[wanted[which]], asked, selection) for which in ("mapping", "against-mapping")
    )
    if wanted.get("statistic") == "difference":
        return Sample(one.estimate - other.estimate, one.replicates - other.replicates)
    return Sample(one.estimate, one.replicates, other.estimate, other.replicates)


def _of_maps(table: pd.DataFrame, wanted: Mapping[str, str], _: str | None) -> Sample:
    """The one row that a reading names (over all layers, unless it says which); ``identity`` compares it with 1."""
    keys = {k: v for k, v in wanted.items() if k != "against"} | {"layer": int(wanted.get("layer", 0))}
    if not set(keys) <= set(table.columns):
        return NOTHING
    rows = table[np.logical_and.reduce([table[k] == v for k, v in keys.items()])]
    if rows.empty:
        return NOTHING
    (row,) = rows.to_dict("records")
    replicates = np.asarray(row["replicates"], dtype=float)
    if wanted.get("against") == "identity":
        return Sample(float(row["value"]), replicates, 1.0, np.ones_like(replicates))
    return Sample(float(row["value"]), replicates)


def _of_probe(table: pd.DataFrame, wanted: Mapping[str, str], _: str | None) -> Sample:
    """Balanced accuracy as a share of the way from chance (0) to perfect (1), and what it is compared with."""

    def calibrated(name: str, task: str) -> tuple[float, np.ndarray]:
        mine = table[(table["input"] == name) & (table["task"] == task)]
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


def _at_depth(table: pd.DataFrame, wanted: Mapping[str, str], _: str | None) -> Sample:
    """The value after the block at `depth` (``middle`` or ``last``)."""
    where = {k: v for k, v in wanted.items() if k != "depth"}
    mine = table[(table[list(where)] == pd.Series(where)).all(axis=1)]
    if mine.empty:
        return NOTHING
    last = int(mine["layer"].max())
    row = mine[mine["layer"] == (last if wanted["depth"] == "last" else (last + 1) // 2)].iloc[0]
    return Sample(float(row["value"]), np.asarray(row["replicates"], dtype=float))


def _has(*columns: str) -> Callable[[Evidence], bool]:
    return lambda evidence: isinstance(evidence, pd.DataFrame) and set(columns) <= set(evidence.columns)


def _side_by_side(by: str) -> Callable[[Evidence], bool]:
    return lambda evidence: isinstance(evidence, SideBySide) and evidence.by == by


KINDS: dict[str, Kind] = {
    "property-inference": Kind(lambda evidence: isinstance(evidence, Scores), _of_scores),
    "norm-sets": Kind(_side_by_side("norm sets"), _of_norm_sets),
    "mappings": Kind(_side_by_side("mappings"), _of_mappings),
    "attention-maps": Kind(_has("source"), _of_maps),
    "relation-probe": Kind(_has("input", "negatives"), _of_probe),
    "token-identity": Kind(_has("view", "measure"), _at_depth),
    "residual-mixing": Kind(_has("method", "quantity"), _at_depth),
}
"""By study."""
