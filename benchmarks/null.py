"""The permutation null against looping scikit-learn over the same permutations and folds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from benchmarks.problems import load, seconds

PERMUTATIONS = 999
OURS = 40
"""Permutations that are measured; the time is proportional to their number, the memory independent of it."""

LARGEST = 50
FOLDS = 10


def mcrae() -> dict[str, Any]:
    """Ours: choice of the size and five metrics included. Theirs: one fit and the predictions at the chosen size."""
    from sklearn.cross_decomposition import PLSRegression

    from interp.controls import Problem
    from interp.inference import grouped_folds
    from interp.inference.permutation import PermutedFits, permutation_null, row_order

    X, norms, note = load("mcrae")
    permutation_null(X, norms, range(1))  # what is loaded and computed once is no part of a permutation
    ours = seconds(lambda: permutation_null(X, norms, range(1, OURS + 1), folds=FOLDS, largest=LARGEST)) / OURS

    splits = grouped_folds(norms.lemmas, FOLDS, 0)
    order = row_order(Problem(X, norms.values, norms.lemmas, norms.taxonomy), "shuffle-rows", 0, 1)
    sizes = PermutedFits(X, norms.values, splits, LARGEST).predictions(order)[1]
    Y = norms.values[order]

    def loop() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for split, size in zip(splits, sizes):
                model = PLSRegression(LARGEST, scale=False).fit(X[split.train], Y[split.train])
                scores = (X[split.test] - X[split.train].mean(axis=0)) @ model.x_rotations_[:, :size]
                scores @ model.y_loadings_[:, :size].T + Y[split.train].mean(axis=0)

    return {
        "what": f"null on McRae: {PERMUTATIONS} row permutations, 10 folds, sizes 0..50 on validation, 5 metrics",
        "seconds": PERMUTATIONS * ours,
        "against": "scikit-learn: a fit of 50 components per fold and permutation, predictions at the chosen size",
        "against_seconds": PERMUTATIONS * seconds(loop),
        "target": 50,
        "peak_limit_gib": 4,
        "note": f"{note}; measured on {OURS} permutations (ours) and on 1 (scikit-learn, all folds), multiplied; "
        "scikit-learn without choice of the size and without metrics",
    }


def rows() -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements."""
    return {"mcrae": mcrae}
