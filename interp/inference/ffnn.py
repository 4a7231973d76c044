"""A feed-forward net with one hidden tanh layer, one net per hidden size: the paper's second mapping."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from tqdm import tqdm

from interp.errors import InputError
from interp.inference.training import Job, Net, Targets, Trainer, standard
from interp.seeding import generator

HIDDEN_SIZES = (20, 50, 100)
"""Hidden sizes tried unless one asks for others: the fixed sizes of PROTOCOL 4, and its largest."""

CACHE = 1_500_000
"""Weights trained at once on CPU; more would be fetched from memory at every step."""


@dataclass(frozen=True)
class FFNNPath:
    """The nets of one fold, one per hidden size, and the training mean as size 0."""

    x_mean: Float[np.ndarray, "width"]
    x_scale: float
    y_mean: Float[np.ndarray, "feature"]
    nets: dict[int, Net]

    @property
    def sizes(self) -> np.ndarray:
        """Hidden sizes this path can predict with, 0 first."""
        return np.array([0, *sorted(self.nets)])

    def predict(self, X: Float[np.ndarray, "concept width"], size: int) -> Float[np.ndarray, "concept feature"]:
        """Predictions with hidden size `size`; with 0, the training mean exactly."""
        if size == 0:
            return np.tile(self.y_mean, (len(X), 1))
        if size not in self.nets:
            raise InputError(f"hidden size {size} was not trained; trained: {', '.join(map(str, self.sizes))}")
        return self.nets[size].predict((X - self.x_mean) / self.x_scale)

    def squared_errors(
        self, X: Float[np.ndarray, "concept width"], Y: Float[np.ndarray, "concept feature"]
    ) -> Float[np.ndarray, "concept size"]:
        """Mean squared error per concept for every size."""
        return np.stack([((self.predict(X, size) - Y) ** 2).mean(axis=1) for size in self.sizes], axis=1)


class FFNN(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """The net as a scikit-learn estimator: trains every hidden size and predicts with the best on held-back rows.

    Parameters
    ----------
    hidden_sizes
        Sizes of the hidden layer to try.
    validation_fraction
        Share of the rows held back for early stopping and for the choice of the size.
    random_state
        Seed of initial weights, batches and the rows held back.
    device
        Where torch computes, in float32.

    Attributes
    ----------
    path_ : FFNNPath
        The trained nets.
    size_ : int
        The hidden size `predict` uses unless told otherwise; 0 where no net beats the mean.
    """

    def __init__(
        self,
        hidden_sizes: Sequence[int] = HIDDEN_SIZES,
        validation_fraction: float = 0.1,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    def fit(self, X: Float[np.ndarray, "concept width"], y: Float[np.ndarray, "concept feature"]) -> FFNN:
        """Train all sizes."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        self._flat = y.ndim == 1
        Y = y.reshape(len(y), -1).astype(np.float64)
        seed = 0 if self.random_state is None else int(self.random_state)
        order = generator(seed, "held back").permutation(len(X))
        held = max(1, round(self.validation_fraction * len(X)))
        train, validation = np.sort(order[held:]), np.sort(order[:held])
        (self.path_,) = fit_folds(
            X, Y, [(train, validation)], self.hidden_sizes, seed=seed, device=self.device, progress=False
        )
        errors = self.path_.squared_errors(X[validation], Y[validation]).mean(axis=0)
        self.size_ = int(self.path_.sizes[errors.argmin()])
        return self

    def predict(
        self, X: Float[np.ndarray, "concept width"], size: int | None = None
    ) -> Float[np.ndarray, "concept feature"]:
        """Predict with hidden size `size` (default: the best on the rows held back)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        predicted = self.path_.predict(X, self.size_ if size is None else size)
        return predicted[:, 0] if self._flat else predicted


def fit_folds(
    X: Float[np.ndarray, "concept width"],
    Y: Float[np.ndarray, "concept feature"],
    folds: Sequence[tuple[Int[np.ndarray, "training"], Int[np.ndarray, "validating"]]],
    hidden_sizes: Sequence[int] = HIDDEN_SIZES,
    *,
    seed: int = 0,
    device: str = "cpu",
    together: int | None = None,
    progress: bool = True,
) -> list[FFNNPath]:
    """Train a net for each fold (training and validation rows) and hidden size.

    Parameters
    ----------
    together
        Nets of one size trained at once; None for as many as keep their weights in cache and leave some for every
        core (all, on a GPU). The nets are the same whatever it is, within float32's rounding.

    Raises
    ------
    InputError
        For a hidden size smaller than 1.
    """
    if not len(hidden_sizes) or any(size < 1 or size != int(size) for size in hidden_sizes):
        raise InputError(f"hidden sizes {list(hidden_sizes)}: whole numbers from 1 on, please")
    sizes = sorted(set(hidden_sizes))
    targets = Targets(Y, device)
    rows = max(len(train) for train, _ in folds)
    groups: list[list[Job]] = []
    for size in reversed(sizes):  # large ones first, so that no core is left with a long one at the end
        jobs = [Job(train, validation, size, seed, fold, rows) for fold, (train, validation) in enumerate(folds)]
        most = together or (len(jobs) if device != "cpu" else _most(len(jobs), (X.shape[1] + Y.shape[1]) * size))
        groups += [list(part) for part in np.array_split(np.array(jobs, dtype=object), -(-len(jobs) // most))]
    nets: dict[tuple[int, int], Net] = {}
    with tqdm(
        total=len(folds) * len(sizes), desc="ffnn", unit="net", disable=None if progress else True, leave=False
    ) as bar:
        for group, trained in zip(groups, _each_on_one_core(lambda g: Trainer(X, targets, g).run(bar), groups, device)):
            nets |= {(job.fold, job.size): net for job, net in zip(group, trained)}
    return [
        FFNNPath(*standard(X[train]), Y[train].mean(axis=0), {size: nets[fold, size] for size in sizes})
        for fold, (train, _) in enumerate(folds)
    ]


def _most(nets: int, weights: int) -> int:
    """Nets of so many weights to train at once on CPU: as many as stay in cache, and some for every core."""
    return max(1, min(CACHE // weights, -(-nets // torch.get_num_threads())))


def _each_on_one_core(train, groups, device):  # type: ignore[no-untyped-def]
    """Groups side by side, one core each: products this small gain nothing from a second one."""
    cores = torch.get_num_threads()
    if device != "cpu" or cores == 1:
        yield from map(train, groups)
        return
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(train, groups)
    finally:
        torch.set_num_threads(cores)
