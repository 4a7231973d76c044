"""What a mapping problem must be before anything is fitted.

Refused with one line that says what to do: values that are not finite numbers, or so large or small that their squares
are not; rows, lemmas, categories, kinds or sub-words that do not match; nothing to predict from, nothing to predict, no
value above 0; an empty list of seeds, controls, metrics or selection rules.

Handled:

- a column of X that never varies adds nothing; if none varies, every mapping predicts the training mean;
- a feature with one value for all concepts is predicted as that value, and is no part of the feature-wise scores;
- a feature that nobody carries in training is predicted as 0 by PLSR (the net may be off by what it has not unlearned);
- a concept without features has no gold: metrics that need one leave it out (`Scores.cells` has the share that is left
  as `defined`), and are n/a where more than a fifth are left out;
- concepts with one lemma stay in one fold, so that it is lemmas of which there must be as many as folds.

The estimators `PLSR` and `FFNN` refuse what scikit-learn's own checks refuse, in scikit-learn's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float

from interp.controls import Problem
from interp.errors import InputError

LARGEST = 1e50
"""Products of squares of larger numbers overflow; those of numbers below its inverse vanish."""


class Norms(Protocol):
    """What `crossvalidate` asks of norms; `interp.norms.NormSet` has it."""

    @property
    def values(self) -> Float[np.ndarray, "concept feature"]: ...

    @property
    def lemmas(self) -> tuple[str, ...]: ...

    @property
    def taxonomy(self) -> tuple[str, ...]: ...

    @property
    def kinds(self) -> tuple[str, ...] | None: ...


def checked_problem(
    X: Float[np.ndarray, "concept width"], norms: Norms, pieces: Sequence[Sequence[int]] | None = None
) -> Problem:
    """The problem X -> norms.

    Raises
    ------
    InputError
        For whatever the head of this module lists as refused.
    """
    X, Y = _matrix("embeddings", X), _matrix("norms", norms.values)
    n, m = Y.shape
    if len(X) != n:
        raise InputError(f"embeddings are {X.shape}, but there are {n} concepts: one row per concept, please")
    _computable("embeddings", X)
    _computable("norms", Y)
    if not X.shape[1]:
        raise InputError("embeddings have no dimensions: there is nothing to predict from")
    if not m:
        raise InputError("norms have no features: there is nothing to predict")
    if not (Y > 0).any():
        raise InputError("norms: no value is above 0, so that no concept has a feature; there is nothing to predict")
    kinds = norms.kinds
    for what, count, wanted, of in (
        ("lemmas", len(norms.lemmas), n, "concepts"),
        ("categories", len(norms.taxonomy), n, "concepts"),
        ("kinds", m if kinds is None else len(kinds), m, "features"),
        ("lists of sub-words", n if pieces is None else len(pieces), n, "concepts"),
    ):
        if count != wanted:
            raise InputError(f"there are {count} {what} for {wanted} {of}: one each, please")
    own = None if pieces is None else tuple(tuple(p) for p in pieces)
    return Problem(X, Y, norms.lemmas, norms.taxonomy, kinds, own)


def _matrix(what: str, values: np.ndarray) -> Float[np.ndarray, "row column"]:
    try:
        A = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{what}: not a matrix of numbers") from None
    if A.ndim != 2:
        raise InputError(f"{what} are {A.shape}: a matrix with one row per concept, please")
    return A


def _computable(what: str, A: Float[np.ndarray, "row column"]) -> None:
    wrong = ~(np.abs(A) <= LARGEST)  # true for NaN, too
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        why = f"{A[i, j]:.3g} is too large to compute with" if np.isfinite(A[i, j]) else "is not a finite number"
        raise InputError(f"{what}: the value in row {i}, column {j} {why}")
    largest = np.abs(A).max(initial=0)
    if 0 < largest < 1 / LARGEST:
        raise InputError(f"{what}: the largest value is {largest:.3g}, too small to compute with; multiply them all")


def some(what: str, values: Sequence[object]) -> None:
    """Refuse an empty list."""
    if not values:
        raise InputError(f"no {what} asked for: at least one, please")
