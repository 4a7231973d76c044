"""Balanced accuracy and selectivity with their intervals, from the probe's counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp.resampling import Bootstrap, interval

RESAMPLES = 1000
CELL = ["input", "negatives", "split"]


def pooled(counts: pd.DataFrame, *, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Balanced accuracy of each cell: the mean over folds, then over seeds; chance is one half, exactly.

    A fold in which the probe says the same of everything counts one half, so no fold's composition can move the score.
    (Accuracy pooled over folds would not have that: a fold with many true pairs leaves few to train on.) Folds that
    hold one class only are left out.

    Parameters
    ----------
    counts
        Rows of `relation_probe.probe` with ``input``, ``negatives`` (the kind), ``split``, ``task`` and ``seed``.

    Returns
    -------
    Columns ``input``, ``negatives``, ``split``, ``task`` (``hypernymy``, ``coin``, and ``selectivity``: their
    difference on the same resamples), ``value``, ``low``, ``high`` (95 %), ``replicates``. The bootstrap draws slot
    nouns (with all their sentences, true and wrong), the same for everything compared within a kind of negatives.
    """
    rows = []
    for kind, of_kind in counts.groupby("negatives", sort=False):
        nouns = sorted(of_kind["slot"].unique())
        draws = Bootstrap(nouns, resamples).counts
        for (name, split), cell in of_kind.groupby(["input", "split"], sort=False):
            found = {task: _accuracy(mine, nouns, draws) for task, mine in cell.groupby("task", sort=False)}
            if {"hypernymy", "coin"} <= set(found):
                found["selectivity"] = found["hypernymy"] - found["coin"]
            for task, scores in found.items():
                low, high = interval(scores[1:])
                rows.append((name, kind, split, task, float(scores[0]), float(low), float(high), scores[1:]))
    return pd.DataFrame(rows, columns=[*CELL, "task", "value", "low", "high", "replicates"])


def _accuracy(
    counts: pd.DataFrame, nouns: list[str], draws: Float[np.ndarray, "resample noun"]
) -> Float[np.ndarray, "one_plus_resample"]:
    """Balanced accuracy: of all nouns first, then of each resample."""
    weights = np.vstack([np.ones(len(nouns)), draws])
    noun = np.searchsorted(nouns, counts["slot"].to_numpy())
    seed, fold = (np.unique(counts[name].to_numpy(), return_inverse=True)[1] for name in ("seed", "fold"))
    shape = (len(nouns), int(seed.max()) + 1, int(fold.max()) + 1)

    def drawn(name: str) -> Float[np.ndarray, "one_plus_resample seed fold"]:
        table = np.zeros(shape)
        table[noun, seed, fold] = counts[name].to_numpy(dtype=float)
        return np.tensordot(weights, table, axes=1)

    with np.errstate(invalid="ignore", divide="ignore"):
        by_fold = (drawn("hits") / drawn("true") + drawn("rejections") / drawn("wrong")) / 2
    return _mean(_mean(by_fold))


def _mean(values: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch"]:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    defined = np.isfinite(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
