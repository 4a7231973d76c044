"""Scores of one feature over the concepts of a test fold, averaged over features.

Comparisons stay within a fold: a fold's training mean is anticorrelated with its test fold, so that pooling predictions
across folds would give a constant prediction .34 instead of .50. Numerators and denominators are summed over folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from interp.ranks import average_ranks

FEW = 3
"""Carriers a feature, on average, up to which pairs are compared one by one: ranks sort every concept."""

CHUNK = 20_000_000
"""Comparisons held in memory at once."""


@dataclass(frozen=True)
class FeatureTally:
    """Per test concept and feature, the terms whose sums make a feature's score; `parts` has one matrix a term.

    AUC: concordant pairs and pairs that a concept takes part in (each pair appears at both its concepts).
    rho: product of the centred ranks, and their squares.
    """

    parts: tuple[Float[np.ndarray, "test scored"], ...]
    kind: str

    def scores(self, sums: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """A score for each feature from its summed parts, and which features have one."""
        if self.kind == "auc":
            concordant, pairs = sums
            return np.divide(concordant, pairs, out=np.full(pairs.shape, 0.5), where=pairs > 0), pairs > 0
        product, predicted, true = sums
        bottom = np.sqrt(predicted * true)
        return np.divide(product, bottom, out=np.zeros_like(bottom), where=bottom > 0), true > 0

    def influence(self, sums: tuple[np.ndarray, ...], score: np.ndarray) -> Float[np.ndarray, "test scored"]:
        """Derivative of each feature's score by the weight of each concept."""
        if self.kind == "auc":
            (_, pairs), (mine, my_pairs) = sums, self.parts
            # Sums run over both concepts of a pair, so they are twice the number of pairs.
            return np.divide(2 * (mine - score * my_pairs), pairs, out=np.zeros_like(mine), where=pairs > 0)
        (_, predicted, true), (product, mine, theirs) = sums, self.parts
        bottom = np.sqrt(predicted * true)
        first = np.divide(product, bottom, out=np.zeros_like(product), where=bottom > 0)
        relative = np.divide(mine, predicted, out=np.zeros_like(mine), where=predicted > 0)
        relative = relative + np.divide(theirs, true, out=np.zeros_like(theirs), where=true > 0)
        return first - score / 2 * relative


def auc_tally(predicted: Float[np.ndarray, "test scored"], carries: Bool[np.ndarray, "test scored"]) -> FeatureTally:
    """Concordant pairs (carrier predicted above non-carrier; a tie is half) and pairs, by concept and feature."""
    if carries.sum() > FEW * predicted.shape[1]:
        return _by_ranks(predicted, carries)
    return _by_pairs(predicted, carries)


def _by_ranks(predicted: Float[np.ndarray, "test scored"], carries: Bool[np.ndarray, "test scored"]) -> FeatureTally:
    """From ranks, for features that many carry: a rank among all less the rank among one's own kind counts the others.

    Average ranks count a tie as half, as they should.
    """
    n = len(predicted)
    among_all = average_ranks(predicted.T).T
    carriers = carries.sum(axis=0)
    # Ranks are halves of whole numbers, so that adding n + 1 to the carriers' keeps every tie and every order.
    apart = average_ranks((among_all + (n + 1.0) * carries).T).T
    below = among_all - np.where(carries, apart - (n - carriers), apart)  # of the other kind
    concordant = np.where(carries, below, carriers - below)
    pairs = np.where(carries, n - carriers, carriers).astype(float)
    return FeatureTally((concordant, pairs), "auc")


def _by_pairs(predicted: Float[np.ndarray, "test scored"], carries: Bool[np.ndarray, "test scored"]) -> FeatureTally:
    """From every pair of a carrier and another concept, for features that few carry."""
    n, m = predicted.shape
    concordant, pairs = np.zeros((n, m)), np.zeros((n, m))
    which, who = np.nonzero(carries.T)  # carriers, feature by feature
    step = max(1, CHUNK // max(n, 1))
    for start in range(0, len(who), step):
        i, f = who[start : start + step], which[start : start + step]
        others = ~carries[:, f].T
        mine, theirs = predicted[i, f][:, None], predicted[:, f].T
        won = ((mine > theirs) + 0.5 * (mine == theirs)) * others
        concordant[i, f] += won.sum(axis=1)
        pairs[i, f] += others.sum(axis=1)
        first = np.flatnonzero(np.diff(f, prepend=-1))  # where each feature's carriers begin
        concordant[:, f[first]] += np.add.reduceat(won, first, axis=0).T
        pairs[:, f[first]] += np.add.reduceat(others, first, axis=0, dtype=float).T
    return FeatureTally((concordant, pairs), "auc")


def rho_tally(predicted: Float[np.ndarray, "test scored"], true: Float[np.ndarray, "test scored"]) -> FeatureTally:
    """Products and squares of the ranks of prediction and truth, centred within the fold."""
    a, b = average_ranks(predicted.T).T, rankdata(true, axis=0)
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return FeatureTally((a * b, a**2, b**2), "rho")


def combine(
    folds: list[tuple[np.ndarray, FeatureTally]], n_concepts: int
) -> tuple[Float[np.ndarray, "concept"], Float[np.ndarray, "concept"]]:
    """Numerators and weights per concept whose ratio of sums is the mean score over features.

    A concept's numerator is the score plus n times its influence, its weight 1; resampled concepts then give the
    linearised bootstrap of the score. Concepts in none of the folds have weight 0; a concept that several folds
    hold (training scores) is counted once for each.
    """
    sums = tuple(sum(tally.parts[k].sum(axis=0) for _, tally in folds) for k in range(len(folds[0][1].parts)))
    score, defined = folds[0][1].scores(sums)
    numerator, weight = np.zeros(n_concepts), np.zeros(n_concepts)
    for rows, _ in folds:
        np.add.at(weight, rows, 1.0)
    if not defined.any():
        return numerator, np.zeros(n_concepts)
    mean = float(score[defined].mean())
    for rows, tally in folds:
        by_concept = tally.influence(sums, score)[:, defined].mean(axis=1)
        np.add.at(numerator, rows, mean + weight.sum() * by_concept)
    return numerator, weight


def fold_score(tally: FeatureTally) -> float:
    """The mean score over the features that this one fold defines; NaN if it defines none."""
    score, defined = tally.scores(tuple(part.sum(axis=0) for part in tally.parts))
    return float(score[defined].mean()) if defined.any() else float("nan")
