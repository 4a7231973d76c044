"""Norms whose truth is known: the margins, values and spectrum of a real set, with as much signal as one asks for.

Built on `interp.inference.synthetic`, for PROTOCOL 10: an evaluation should drop when meaning is corrupted and
structure kept. What it does without any signal, or with signal of the wrong kind, can only be seen where the truth is
known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interp.errors import InputError
from interp.inference import synthetic


def category_members(taxonomy: Sequence[str]) -> list[np.ndarray]:
    """Row numbers by category; a concept without one is a category of its own."""
    names = [name or f"\0{i}" for i, name in enumerate(taxonomy)]
    _, member = np.unique(names, return_inverse=True)
    return [np.flatnonzero(member == k) for k in range(member.max() + 1)]


def within_categories(X: Float[np.ndarray, "concept width"], taxonomy: Sequence[str]) -> Float[np.ndarray, "*"]:
    """X less the mean of each concept's category: what X holds beyond category."""
    left = np.array(X, dtype=float)
    for rows in category_members(taxonomy):
        left[rows] -= left[rows].mean(axis=0)
    return left


def category_factors(taxonomy: Sequence[str], rank: int, rng: np.random.Generator) -> Float[np.ndarray, "concept rank"]:
    """Random factors that are the same for all members of a category: centred columns of variance 1."""
    members = category_members(taxonomy)
    if len(members) < 2:
        raise InputError("norms with one category have nothing to tell categories apart by")
    found = np.empty((len(taxonomy), rank))
    for rows, value in zip(members, rng.standard_normal((len(members), rank)), strict=True):
        found[rows] = value
    found -= found.mean(axis=0)
    return found / found.std(axis=0)


def planted(
    like: Float[np.ndarray, "concept feature"],
    X: Float[np.ndarray, "concept width"],
    taxonomy: Sequence[str],
    rng: np.random.Generator,
    *,
    alpha: float,
    category: float,
    rank: int = 30,
) -> Float[np.ndarray, "concept feature"]:
    """Norms with the margins and values of `like`, its leading singular values and directions, and signal by design.

    The concepts' factors are sqrt(category) C + sqrt(1 - category) W. C is one random vector a category: it says what a
    concept shares with its kind, and an embedding that tells categories apart can predict it. Of the variance of W, a
    share `alpha` is linear in what X holds *beyond* category; the rest is noise. With alpha = 0, therefore, X says
    nothing about a concept that its category does not say.

    Parameters
    ----------
    like
        Sparse norms, every feature with a carrier.
    rank
        Of the factors: so many singular directions of `like` are used (fewer where it has fewer).

    Raises
    ------
    InputError
        If a share is not within 0..1, or `like` has no feature or a feature without a carrier.
    """
    if not 0 <= category <= 1:
        raise InputError(f"category share {category:g}: it lies within 0 and 1")
    carried = like > 0
    if not like.size or not carried.any(axis=0).all():
        raise InputError("planted norms take their margins from norms in which every feature has a carrier")
    _, s, Vt = np.linalg.svd(like - like.mean(axis=0), full_matrices=False)
    used = min(rank, int((s > 1e-10 * s[0]).sum()))
    factor_rng, category_rng, mask_rng, value_rng = rng.spawn(4)
    own = synthetic.linked_factors(within_categories(X, taxonomy), used, alpha, factor_rng, leading=used)
    shared = category_factors(taxonomy, used, category_rng)
    factors = np.sqrt(category) * shared + np.sqrt(1 - category) * own
    scores = factors @ (s[:used, None] * Vt[:used])
    mask = synthetic.sparse_features(scores, carried.sum(axis=0), carried.sum(axis=1), mask_rng)
    return synthetic.with_values(mask, scores, like[carried], value_rng)
