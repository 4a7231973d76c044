"""The shape of a target matrix concepts x features: how full it is, how it varies, and what that alone allows.

Nothing here looks at an embedding: these numbers are known before any model is fitted, and they bound or shift the
scores that any model can get.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata


def variances(Y: Float[np.ndarray, "concept feature"]) -> Float[np.ndarray, "component"]:
    """Squared singular values of the centred matrix, descending: how much varies along each principal component.

    From the smaller of the two Gram matrices, so that a share below 1e-14 of the first is rounding error; those are 0.
    """
    centred = Y - Y.mean(axis=0)
    small = centred @ centred.T if len(Y) <= Y.shape[1] else centred.T @ centred
    found = np.linalg.eigvalsh(small)[::-1]
    return np.where(found > 1e-14 * max(found[0], np.finfo(float).tiny), found, 0.0)


def effective_rank(Y: Float[np.ndarray, "concept feature"]) -> float:
    """Exponential of the entropy of the shares of variance (after Roy & Vetterli 2007); 0 for a constant matrix.

    They take the singular values of the matrix itself; we take the squares of those of the centred matrix, which are
    shares of variance.
    """
    return effective_count(variances(Y))


def effective_count(weights: Float[np.ndarray, "component"]) -> float:
    """Exponential of the entropy of non-negative weights: k equal ones give k."""
    weights = weights[weights > 0]
    if not len(weights):
        return 0.0
    share = weights / weights.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def cumulated_share(weights: Float[np.ndarray, "component"]) -> Float[np.ndarray, "component"]:
    """Share of the variance that the leading 1, 2, ... components hold."""
    total = weights.sum()
    return np.cumsum(weights) / total if total > 0 else np.zeros_like(weights)


def carriers(Y: Float[np.ndarray, "concept feature"]) -> Int[np.ndarray, "feature"]:
    """How many concepts have a value > 0 on each feature."""
    return (Y > 0).sum(axis=0)


def between_features(Y: Float[np.ndarray, "concept feature"]) -> float:
    """Share of the variance of all cells that lies between the features' means (0 where nothing varies)."""
    total = float(Y.var())
    return float(Y.mean(axis=0).var()) / total if total > 0 else 0.0


def best_rho(ranks: Float[np.ndarray, "concept feature"]) -> Float[np.ndarray, "concept"]:
    """The best Spearman correlation that a prediction without ties can have with each row of average ranks.

    Against a vector with ties, strict ranks r correlate at most sd(average ranks) / sd(r), reached by any order that
    agrees with the true one: the covariance of the two is then the variance of the average ranks.
    """
    m = ranks.shape[1]
    return ranks.std(axis=1) / np.sqrt((m**2 - 1) / 12) if m > 1 else np.zeros(len(ranks))


def best_rho_of(Y: Float[np.ndarray, "concept feature"]) -> float:
    """`best_rho`, the mean over the rows of `Y` that are not constant; NaN if all are."""
    best = best_rho(rankdata(Y, axis=1))
    return float(best[best > 0].mean()) if (best > 0).any() else float("nan")


def best_rho_at(density: float | Float[np.ndarray, "*point"]) -> float | Float[np.ndarray, "*point"]:
    """`best_rho` of a long row of which a share `density` is filled with different values and the rest is zero.

    A tie of t among m entries costs (t^3 - t) / (m^3 - m) of the variance of the ranks, so with t = (1 - density) m
    the best is sqrt(1 - (1 - density)^3), about sqrt(3 density) where density is small.
    """
    return np.sqrt(1 - (1 - density) ** 3)


def density_for_rho(rho: float) -> float:
    """The density at which `best_rho_at` is `rho`: below it no prediction without ties can reach that."""
    return float(1 - (1 - rho**2) ** (1 / 3))


def rho_of_means(share: float | Float[np.ndarray, "*point"]) -> float | Float[np.ndarray, "*point"]:
    """Spearman's rho of the vector of feature means with a row of normal ratings, by `between_features`.

    The Pearson correlation is sqrt(share); of a bivariate normal with correlation r, Spearman's is 6/pi asin(r/2)
    (Pearson 1907).
    """
    return 6 / np.pi * np.arcsin(np.sqrt(share) / 2)
