"""What two norm sets have in common, and whether one's numbers were taken from the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import poisson, spearmanr

from interp.norms.normset import NormSet

WINDOW = 4
"""Differences of frequency, up to this size, that the expectation of a difference of 0 is drawn through."""


@dataclass(frozen=True)
class Overlap:
    """Concepts, and (concept, feature) pairs of the same names, in two sets of integer frequencies."""

    concepts: int
    """Concepts both sets have."""
    pairs: int
    """Pairs the first set has for those concepts."""
    shared: int
    """Those of them that the second set has, too."""
    largest_share: float
    """The largest share of a concept's features that the second set has for it, too."""
    correlation: float
    """Spearman's rho of the two frequencies over the shared pairs."""
    equal: int
    """Shared pairs with the same frequency in both."""
    expected: float
    """How many a smooth relation of the two frequencies would give (see `coincidences`)."""

    @property
    def most(self) -> int:
        """The 99 % quantile of a Poisson about `expected`: more equal frequencies than this look copied."""
        return int(poisson.ppf(0.99, self.expected))


def overlap(first: NormSet, second: NormSet) -> Overlap:
    """Compare two norm sets whose values are integer production frequencies of the same scale."""
    mine, theirs = (_rows(s) for s in (first, second))
    both = sorted(mine.keys() & theirs.keys())
    shared = [(mine[c][f], theirs[c][f]) for c in both for f in sorted(mine[c].keys() & theirs[c].keys())]
    x, y = np.array(shared, dtype=float).reshape(-1, 2).T
    equal, expected = coincidences(x, y)
    return Overlap(
        concepts=len(both),
        pairs=sum(len(mine[c]) for c in both),
        shared=len(shared),
        largest_share=max((len(mine[c].keys() & theirs[c].keys()) / len(mine[c]) for c in both), default=0.0),
        correlation=float(spearmanr(x, y).statistic),
        equal=equal,
        expected=expected,
    )


def coincidences(x: Float[np.ndarray, "pair"], y: Float[np.ndarray, "pair"]) -> tuple[int, float]:
    """Pairs with the same frequency in both, and how many a smooth relation of the two would give.

    Two sets that both say how readily a feature comes to mind agree more often than shuffled ones. But who copies gets
    differences of exactly 0 and no more of 1 and 2: the expectation is a parabola through the counts of the differences
    -4..4 without 0, taken at 0.
    """
    difference = np.subtract(x, y)
    around = [d for d in range(-WINDOW, WINDOW + 1) if d]
    counts = [float((difference == d).sum()) for d in around]
    return int((difference == 0).sum()), max(0.0, float(np.polyval(np.polyfit(around, counts, 2), 0)))


def _rows(norms: NormSet) -> Mapping[str, Mapping[str, float]]:
    return {
        concept: {norms.features[j]: float(row[j]) for j in np.flatnonzero(row)}
        for concept, row in zip(norms.concepts, norms.values)
    }
