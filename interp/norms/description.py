"""The numbers that tell one norm set from another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from interp import geometry
from interp.norms.normset import NormSet
from interp.targets import UNCATEGORISED

CURVES = {
    "features a concept": "share of the concepts with at least x features > 0",
    "carriers": "concepts with a value > 0 of the x-th most common feature",
    "spectrum": "singular value of rank x of the centred matrix, divided by the first",
    "values": "share of the values > 0 that reach x, where 1 is the largest value possible",
}
"""What `marginals` gives: a curve's name and what its y is."""

LARGEST = {"production frequency (of 30)": 30.0, "share of participants (%)": 100.0, "mean rating (0 to 6)": 6.0}
"""The largest value possible, by unit."""

POINTS = 60
"""Points kept of a curve by rank, evenly spread over its logarithm."""


def describe(norms: NormSet) -> dict[str, str | int | float]:
    """One row of the table of norm sets."""
    carried = geometry.carriers(norms.values)
    return {
        "norms": norms.name,
        "concepts": len(norms.concepts),
        "features": len(norms.features),
        "density": norms.density,
        "features a concept": float((norms.values > 0).sum(axis=1).mean()),
        "held by one": float((carried == 1).mean()),
        "effective rank": geometry.effective_rank(norms.values),
        "categories": len(set(norms.taxonomy) - {UNCATEGORISED}),
        "uncategorised": float(np.mean(np.array(norms.taxonomy) == UNCATEGORISED)),
    }


def marginals(norms: NormSet) -> pd.DataFrame:
    """The set's marginal distributions as curves: columns norms, curve, x, y (`CURVES` says what they are).

    Values are on the scale of their unit (`LARGEST`), or of the largest value there is where the unit is not known.
    """
    held = norms.values > 0
    squares = geometry.variances(norms.values)
    singular = np.sqrt(squares[squares > 0] / squares[0])
    largest = LARGEST.get(norms.unit, float(norms.values.max()))
    curves = {
        "features a concept": _reached(held.sum(axis=1)),
        "carriers": _by_rank(np.sort(held.sum(axis=0))[::-1]),
        "spectrum": _by_rank(singular),
        "values": _reached(norms.values[held] / largest),
    }
    parts = [pd.DataFrame({"curve": name, "x": x, "y": y}) for name, (x, y) in curves.items()]
    return pd.concat(parts, ignore_index=True).assign(norms=norms.name)[["norms", "curve", "x", "y"]]


def _reached(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of `numbers` >= x, for at most `POINTS` of their distinct values."""
    x = np.unique(numbers)
    if len(x) > POINTS:
        x = x[np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(int))]
    ordered = np.sort(numbers)
    return x.astype(float), 1.0 - np.searchsorted(ordered, x, side="left") / len(ordered)


def _by_rank(ranked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `POINTS` ranks, from the first to the last, and the numbers there."""
    ranks = np.unique(np.geomspace(1, len(ranked), POINTS).round().astype(int))
    return ranks.astype(float), ranked[ranks - 1].astype(float)
