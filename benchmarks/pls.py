"""Every latent size from one fit, against scikit-learn's PLSRegression (scale=False, its default tolerance)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.problems import load, seconds

LARGEST = 100
GRID = range(5, LARGEST + 1, 5)
FOLDS = 10


def _ours(X: np.ndarray, Y: np.ndarray, splits: list) -> Callable[[], object]:  # type: ignore[type-arg]
    """All folds, all sizes: fit, validation error of every size, test predictions at the best."""
    from interp.inference import pls

    def run() -> None:
        for split, path in zip(splits, pls.fit_folds(X, Y, [s.train for s in splits], LARGEST)):
            best = path.squared_errors(X[split.validation], Y[split.validation]).mean(axis=0).argmin()
            path.predict(X[split.test], int(best))

    return run


def _theirs(X: np.ndarray, Y: np.ndarray, split: Any, sizes: Any) -> float:
    """Seconds of scikit-learn's fits of one fold at these sizes, validation predictions included."""
    from sklearn.cross_decomposition import PLSRegression

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at its default tolerance it does not always converge
            for size in sizes:
                PLSRegression(size, scale=False).fit(X[split.train], Y[split.train]).predict(X[split.validation])

    return seconds(run)


def problem(name: str) -> tuple[np.ndarray, np.ndarray, list, str]:  # type: ignore[type-arg]
    """Embeddings, targets, ten splits of the concepts, and a note on where they come from."""
    from interp.inference import grouped_folds

    X, norms, note = load(name)
    return X, norms.values, grouped_folds(norms.lemmas, FOLDS, 0), note


def mcrae_grid() -> dict[str, Any]:
    """One path against a fit for each size of a grid."""
    X, Y, splits, note = problem("mcrae")
    ours = seconds(_ours(X, Y, splits), 3)
    return {
        "what": "McRae (541 x 384 -> 2,526), 10 folds, sizes 0..100",
        "seconds": ours,
        "against": "scikit-learn refitted at 5, 10, ..., 100, 10 folds",
        "against_seconds": FOLDS * _theirs(X, Y, splits[0], GRID),
        "target": 100,
        "note": f"{note}; scikit-learn measured on 1 fold, times 10",
    }


def mcrae_one_fit() -> dict[str, Any]:
    """One path a fold against one fit a fold."""
    X, Y, splits, note = problem("mcrae")
    ours, one = seconds(_ours(X, Y, splits), 3), _theirs(X, Y, splits[0], [LARGEST])
    return {
        "what": "McRae, 10 folds, sizes 0..100",
        "seconds": ours,
        "against": "scikit-learn, one fit of 100 components in each fold",
        "against_seconds": FOLDS * one,
        "target": 10,
        "one_fit_seconds": one,
        "note": f"{note}; fold against fold: scikit-learn measured on 1 fold, times 10 (that one fit: {one:.2f} s)",
    }


def buchanan() -> dict[str, Any]:
    """Ten paths against a single fit."""
    X, Y, splits, note = problem("buchanan")
    ours = seconds(_ours(X, Y, splits))
    return {
        "what": "Buchanan (4,436 x 384 -> 3,981), all 10 folds, sizes 0..100",
        "seconds": ours,
        "against": "scikit-learn, a single fit of 100 components (1 fold)",
        "against_seconds": _theirs(X, Y, splits[0], [LARGEST]),
        "target": 1,
        "note": f"{note}; ten folds against one",
    }


def rows() -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements."""
    return {"mcrae grid": mcrae_grid, "mcrae one fit": mcrae_one_fit, "buchanan": buchanan}
