"""Targets made to order: density, margins and rank chosen, with or without a planted link to the embeddings.

A recipe has three steps, each a function of its own. `linked_factors` draws what the concepts differ in, and a share
`alpha` of it is linear in X; `scores` spreads the factors over features; and the scores become either `dense_ratings`,
which keep their rank exactly, or `sparse_features`, which keep both margins exactly: how many concepts carry each
feature, and how many features each concept has. With alpha = 0 the targets know nothing of X whatever their density and
rank; with alpha = 1 the scores are a linear function of X.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from interp.errors import InputError

TRADES_PER_CONCEPT = 30
"""Trades between two concepts, as a multiple of the number of concepts, until features follow the scores."""


def linked_factors(
    X: Float[np.ndarray, "concept width"],
    rank: int,
    alpha: float,
    rng: np.random.Generator,
    *,
    leading: int | None = None,
) -> Float[np.ndarray, "concept rank"]:
    """Factors of which a share `alpha` is linear in X: the columns are centred, orthogonal and of variance 1.

    sqrt(alpha) Z + sqrt(1 - alpha) G, made orthogonal: Z are `rank` directions of X, G is noise. The factors' own
    covariance is thus the same for every alpha, and the targets built on them differ in the link alone. With alpha = 0,
    X is used for its number of rows only; with alpha = 1, a linear map of X gives the factors exactly.

    Rows of X that are equal (concepts with one lemma) share Z, not G.

    Parameters
    ----------
    leading
        Directions are random within the span of so many leading principal components of X; None for all of X. What
        lies in directions in which X hardly varies is there, but few concepts cannot teach a mapping to find it: for
        a link that can be found, let this be about `rank`.

    Raises
    ------
    InputError
        If alpha is not within 0..1, or the concepts (or X, where alpha > 0) do not have `rank` dimensions.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha {alpha:g}: the share of the factors that is linear in X lies within 0 and 1")
    noise_rng, link_rng = rng.spawn(2)
    coordinates = _principal_coordinates(X, leading) if alpha > 0 else np.zeros((len(X), len(X) - 1))
    there = coordinates.shape[1]
    if not 1 <= rank <= there:
        raise InputError(
            f"rank {rank} is not possible: {there} is the most that {X.shape[0]} x {X.shape[1]} embeddings allow"
            + (f" in their {leading} leading components" if leading is not None and alpha > 0 else "")
        )
    noise = _orthogonal(noise_rng.standard_normal((len(X), rank)))
    if alpha == 0:
        return noise
    linear = _orthogonal(coordinates @ link_rng.standard_normal((there, rank)))
    return _orthogonal(np.sqrt(alpha) * linear + np.sqrt(1 - alpha) * noise)


def _principal_coordinates(
    X: Float[np.ndarray, "concept width"], leading: int | None
) -> Float[np.ndarray, "concept component"]:
    """Centred X on its (leading) principal components, those without variance left out."""
    U, s, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    kept = int((s > 1e-10 * max(s[0], np.finfo(float).tiny)).sum())
    kept = kept if leading is None else min(kept, leading)
    return U[:, :kept] * s[:kept]


def _orthogonal(A: Float[np.ndarray, "concept rank"]) -> Float[np.ndarray, "concept rank"]:
    """The nearest matrix with centred, orthogonal columns of variance 1 (polar decomposition)."""
    U, _, Vt = np.linalg.svd(A - A.mean(axis=0), full_matrices=False)
    return U @ Vt * np.sqrt(len(A))


def scores(
    factors: Float[np.ndarray, "concept rank"], features: int, rng: np.random.Generator, *, decay: float = 0.0
) -> Float[np.ndarray, "concept feature"]:
    """Scores of every concept on every feature: factors times random loadings, each feature of variance 1.

    Parameters
    ----------
    decay
        The k-th factor's loadings shrink like k to the power of -decay; 0 for factors of equal weight.
    """
    strength = np.arange(1, factors.shape[1] + 1.0) ** -decay
    loadings = strength[:, None] * rng.standard_normal((factors.shape[1], features))
    return factors @ (loadings / np.linalg.norm(loadings, axis=0))


def dense_ratings(
    scores: Float[np.ndarray, "concept feature"],
    between: float,
    rng: np.random.Generator,
    *,
    centre: float = 3.0,
    spread: float = 1.5,
) -> Float[np.ndarray, "concept feature"]:
    """Ratings on every feature: scores plus one mean per feature; a share `between` of the variance lies between means.

    Of the same rank as the centred scores. `centre` and `spread` (standard deviation of all cells) are Binder's, whose
    scale runs from 0 to 6; values are not clipped to it, since that would raise the rank.

    Raises
    ------
    InputError
        If `between` is not within 0..1 (1 excluded).
    """
    if not 0 <= between < 1:
        raise InputError(f"share of variance between features {between:g}: it lies within 0 and 1")
    means: Float[np.ndarray, "feature"] = rng.standard_normal((scores.shape[1],))
    means = (means - means.mean()) / (means.std() or 1.0)
    within = scores - scores.mean(axis=0)
    within = within / (within.std() or 1.0)
    return centre + spread * (np.sqrt(between) * means + np.sqrt(1 - between) * within)


def power_law_carriers(
    features: int, concepts: int, density: float, *, exponent: float = 0.75, most: float = 0.5
) -> Int[np.ndarray, "feature"]:
    """How many concepts carry each feature, most common first: proportional to rank to the power of -exponent.

    At least 1, at most a share `most` of the concepts, and in sum exactly round(density x concepts x features).

    Raises
    ------
    InputError
        If so few or so many cells are filled that a feature would have no carrier, or too many.
    """
    total, cap = round(density * concepts * features), max(1, int(most * concepts))
    if not features <= total <= cap * features:
        raise InputError(
            f"density {density:g} is not possible with {concepts} concepts and {features} features: "
            f"{1 / concepts:.2g} (one carrier each) is the least, {cap / concepts:.2g} the most"
        )
    law = np.arange(1, features + 1.0) ** -exponent
    low, high = 0.0, cap / law[-1]
    for _ in range(100):  # bisection: the clipped sum grows with the scale
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(law * middle, 1, cap).sum() < total else (low, middle)
    counts = np.clip(np.floor(law * low), 1, cap).astype(int)
    while (missing := total - int(counts.sum())) > 0:
        room = np.flatnonzero(counts < cap)[:missing]
        counts[room] += 1
    return np.sort(counts)[::-1]


def even_quotas(total: int, concepts: int, rng: np.random.Generator) -> Int[np.ndarray, "concept"]:
    """`total` features dealt to the concepts as evenly as can be; who gets one more is random."""
    return total // concepts + (rng.permutation(concepts) < total % concepts)


def sparse_features(
    scores: Float[np.ndarray, "concept feature"],
    carriers: Int[np.ndarray, "feature"],
    quotas: Int[np.ndarray, "concept"],
    rng: np.random.Generator,
    *,
    trades_per_concept: int = TRADES_PER_CONCEPT,
) -> Bool[np.ndarray, "concept feature"]:
    """Who carries what: both margins exactly as asked, and otherwise the concepts with the highest scores.

    A first matrix with the margins (Gale 1957, Ryser 1957) is improved by trades between two concepts, as in Curveball
    (Strona et al. 2014): of the features that only one of the two has, each keeps as many as it had, and those go to
    the first on which its score exceeds the other's the most. A trade never lowers the sum of the scores carried.

    Raises
    ------
    InputError
        If no matrix has these margins.
    """
    n, m = scores.shape
    if carriers.shape != (m,) or quotas.shape != (n,):
        raise InputError(f"scores are {n} x {m}: one number of carriers per feature and one quota per concept, please")
    mask = _with_margins(carriers, quotas, rng)
    pairs = rng.integers(n, size=(trades_per_concept * n, 2))
    for i, j in pairs[pairs[:, 0] != pairs[:, 1]]:
        pool = np.flatnonzero(mask[i] ^ mask[j])
        mine = int(mask[i, pool].sum())
        if 0 < mine < len(pool):
            order = np.argsort(scores[j, pool] - scores[i, pool], kind="stable")
            mask[i, pool[order[:mine]]], mask[j, pool[order[:mine]]] = True, False
            mask[i, pool[order[mine:]]], mask[j, pool[order[mine:]]] = False, True
    return mask


def _with_margins(
    carriers: Int[np.ndarray, "feature"], quotas: Int[np.ndarray, "concept"], rng: np.random.Generator
) -> Bool[np.ndarray, "concept feature"]:
    """A 0/1 matrix with the margins: each feature, common ones first, goes to those with the most left to fill."""
    left = np.array(quotas)
    mask = np.zeros((len(quotas), len(carriers)), dtype=bool)
    if left.sum() == carriers.sum() and carriers.max(initial=0) <= len(left):
        for feature in np.argsort(-carriers, kind="stable"):
            chosen = np.lexsort((rng.random(len(left)), -left))[: carriers[feature]]
            mask[chosen, feature] = True
            left[chosen] -= 1
    if left.any():
        raise InputError("no matrix has these margins: so many carriers per feature and so many features per concept")
    return mask


def with_values(
    mask: Bool[np.ndarray, "concept feature"],
    scores: Float[np.ndarray, "concept feature"],
    values: Float[np.ndarray, "value"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "concept feature"]:
    """Fill the cells of `mask`: values drawn from `values`, the larger ones where the scores are higher.

    If there are as many values as cells, each is used exactly once.

    Raises
    ------
    InputError
        If a value is not positive.
    """
    if not len(values) or not (values > 0).all():
        raise InputError("values to fill norms with are positive numbers, at least one")
    count = int(mask.sum())
    dealt = values if len(values) == count else rng.choice(values, size=count)
    Y = np.zeros(mask.shape)
    order = np.argsort(scores[mask], kind="stable")
    filled = np.empty(count)
    filled[order] = np.sort(dealt)
    Y[mask] = filled
    return Y
