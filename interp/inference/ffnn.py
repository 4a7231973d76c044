"""A feed-forward net with one hidden tanh layer, one net per hidden size, many nets trained at once.

The paper's second mapping. Nets of one hidden size differ in fold and seed only; their weights lie in one tensor each, and
one step trains them all. Gradients of the two layers are written out: they are short, and autograd's bookkeeping would cost
more than the products. Nets are taken a few at a time, so many that their weights stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from tqdm import tqdm

from interp.errors import InputError
from interp.seeding import generator

HIDDEN_SIZES = (5, 10, 20, 50, 100)
"""Hidden sizes tried unless one asks for others; size 0 is the training mean."""

BATCH = 32
LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-8
PATIENCE = 15
"""Epochs without a better validation MSE after which a net stops (PROTOCOL 4)."""

MOST_EPOCHS = 1000
CACHE = 1_500_000
"""Weights trained at once on CPU; more would be fetched from memory at every step."""


@dataclass(frozen=True)
class Net:
    """The weights of one trained net, on centred and scaled inputs and centred targets."""

    hidden: Float[np.ndarray, "width size"]
    hidden_bias: Float[np.ndarray, "size"]
    output: Float[np.ndarray, "size feature"]
    output_bias: Float[np.ndarray, "feature"]
    epochs: int
    """Epochs until the best validation MSE."""


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
        net = self.nets[size]
        hidden = np.tanh((X - self.x_mean) / self.x_scale @ net.hidden + net.hidden_bias)
        return hidden @ net.output + net.output_bias + self.y_mean

    def squared_errors(
        self, X: Float[np.ndarray, "concept width"], Y: Float[np.ndarray, "concept feature"]
    ) -> Float[np.ndarray, "concept size"]:
        """Mean squared error per concept for every size."""
        return np.stack([((self.predict(X, size) - Y) ** 2).mean(axis=1) for size in self.sizes], axis=1)


@dataclass(frozen=True)
class Job:
    """One net to train: its data, its size, its seed."""

    train: Int[np.ndarray, "training"]
    validation: Int[np.ndarray, "validating"]
    size: int
    seed: int
    fold: int


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
        Nets trained at once; None for as many as keep their weights in cache (all, on a GPU). The nets are the same
        whatever it is.

    Raises
    ------
    InputError
        For a hidden size smaller than 1.
    """
    if not len(hidden_sizes) or any(size < 1 or size != int(size) for size in hidden_sizes):
        raise InputError(f"hidden sizes {list(hidden_sizes)}: whole numbers from 1 on, please")
    jobs = [
        Job(train, validation, size, seed, fold)
        for size in sorted(set(hidden_sizes))
        for fold, (train, validation) in enumerate(folds)
    ]
    nets: dict[tuple[int, int], Net] = {}
    with tqdm(total=len(jobs), desc="ffnn", unit="net", disable=None if progress else True, leave=False) as bar:
        for size in sorted(set(hidden_sizes)):
            mine = [job for job in jobs if job.size == size]
            weights = (X.shape[1] + Y.shape[1] + 1) * size
            at_once = together or (len(mine) if device != "cpu" else max(1, CACHE // weights))
            for start in range(0, len(mine), at_once):
                some = mine[start : start + at_once]
                for job, net in zip(some, _Trainer(X, Y, some, device).run(bar)):
                    nets[job.fold, size] = net
    paths = []
    for fold, (train, _) in enumerate(folds):
        mean, scale = _standard(X[train])
        own = {size: nets[fold, size] for size in sorted(set(hidden_sizes))}
        paths.append(FFNNPath(mean, scale, Y[train].mean(axis=0), own))
    return paths


def _standard(X: Float[np.ndarray, "training width"]) -> tuple[Float[np.ndarray, "width"], float]:
    """Mean of each dimension, and one standard deviation for all of them."""
    mean = X.mean(axis=0)
    return mean, float((X - mean).std()) or 1.0


@dataclass
class _Weights:
    """Parameters of several nets with the state of Adam, first dimension the net."""

    values: list[Tensor]
    momentum: list[Tensor] = field(init=False)
    square: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.momentum = [torch.zeros_like(v) for v in self.values]
        self.square = [torch.zeros_like(v) for v in self.values]

    def only(self, keep: Tensor) -> None:
        """Drop the nets that have stopped."""
        for group in (self.values, self.momentum, self.square):
            group[:] = [tensor[keep] for tensor in group]

    def step(self, gradients: list[Tensor], count: int) -> None:
        """One step of Adam (Kingma & Ba 2015, Algorithm 1)."""
        first, second = BETAS
        rate = LEARNING_RATE / (1 - first**count)
        root = (1 - second**count) ** 0.5
        torch._foreach_lerp_(self.momentum, gradients, 1 - first)
        torch._foreach_mul_(self.square, second)
        torch._foreach_addcmul_(self.square, gradients, gradients, 1 - second)
        bottom = torch._foreach_sqrt(self.square)
        torch._foreach_div_(bottom, root)
        torch._foreach_add_(bottom, EPSILON)
        torch._foreach_addcdiv_(self.values, self.momentum, bottom, -rate)


class _Trainer:
    """Trains nets of one size together; each sees its own rows in its own order and stops by itself."""

    def __init__(self, X: np.ndarray, Y: np.ndarray, jobs: Sequence[Job], device: str) -> None:
        self.jobs = list(jobs)
        self.device = device
        self.data = [self._data(X, Y, job) for job in jobs]
        self.rng = [generator(job.seed, "ffnn", f"fold {job.fold}", f"size {job.size}") for job in jobs]
        initial = [self._initial(X.shape[1], Y.shape[1], job.size, rng) for job, rng in zip(jobs, self.rng)]
        self.weights = _Weights([torch.stack(parts).to(device) for parts in zip(*initial)])

    def _data(self, X: np.ndarray, Y: np.ndarray, job: Job) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, scale = _standard(X[job.train])
        y_mean = Y[job.train].mean(axis=0)

        def ready(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float32, device=self.device)

        return (
            ready((X[job.train] - mean) / scale),
            ready(Y[job.train] - y_mean),
            ready((X[job.validation] - mean) / scale),
            ready(Y[job.validation] - y_mean),
        )

    @staticmethod
    def _initial(width: int, features: int, size: int, rng: np.random.Generator) -> list[Tensor]:
        """As torch's linear layers begin: uniform within one over the square root of the inputs."""

        def uniform(inputs: int, *shape: int) -> Tensor:
            return torch.as_tensor(rng.uniform(-(inputs**-0.5), inputs**-0.5, shape), dtype=torch.float32)

        return [
            uniform(width, width, size),
            uniform(width, 1, size),
            uniform(size, size, features),
            uniform(size, 1, features),
        ]

    def run(self, bar: tqdm) -> list[Net]:  # type: ignore[type-arg]
        """Train until every net has stopped."""
        n = len(self.jobs)
        best = [float("inf")] * n
        best_epoch = [0] * n
        kept: list[list[Tensor] | None] = [None] * n
        alive = list(range(n))
        count = 0
        for epoch in range(1, MOST_EPOCHS + 1):
            count = self._epoch(alive, count)
            errors = self._validation_errors(alive)
            stay = []
            for position, net in enumerate(alive):
                if errors[position] < best[net]:
                    best[net], best_epoch[net] = errors[position], epoch
                    kept[net] = [v[position].clone() for v in self.weights.values]
                if epoch - best_epoch[net] < PATIENCE and np.isfinite(errors[position]):
                    stay.append(position)
                else:
                    bar.update()
            if len(stay) < len(alive):
                alive = [alive[p] for p in stay]
                if not alive:
                    break
                self.weights.only(torch.tensor(stay, device=self.device))
        else:
            bar.update(len(alive))
        return [self._net(kept[i] or [v[0] for v in self.weights.values], best_epoch[i]) for i in range(n)]

    @staticmethod
    def _net(parts: list[Tensor], epochs: int) -> Net:
        hidden, hidden_bias, output, output_bias = (p.cpu().double().numpy() for p in parts)
        return Net(hidden, hidden_bias[0], output, output_bias[0], epochs)

    def _epoch(self, alive: Sequence[int], count: int) -> int:
        """One pass over the training rows; every fold makes as many steps as the longest."""
        orders = [self.rng[i].permutation(len(self.data[i][0])) for i in alive]
        steps = -(-max(map(len, orders)) // BATCH)
        for step in range(steps):
            # A fold that is one row short of the others fills up from its beginning, so that batches are of one size.
            rows = [
                np.take(o, np.arange(step * BATCH, min((step + 1) * BATCH, max(map(len, orders)))), mode="wrap")
                for o in orders
            ]
            x = torch.stack([self.data[i][0][r] for i, r in zip(alive, rows)])
            y = torch.stack([self.data[i][1][r] for i, r in zip(alive, rows)])
            count += 1
            self.weights.step(self._gradients(x, y), count)
        return count

    def _gradients(self, x: Float[Tensor, "net row width"], y: Float[Tensor, "net row feature"]) -> list[Tensor]:
        """Gradients of the mean squared error, the two layers written out."""
        hidden_weights, hidden_bias, output_weights, output_bias = self.weights.values
        h = torch.baddbmm(hidden_bias, x, hidden_weights).tanh_()
        residual = torch.baddbmm(output_bias, h, output_weights).sub_(y)
        residual.mul_(2 / (y.shape[1] * y.shape[2]))
        back = torch.bmm(residual, output_weights.mT).mul_(1 - h * h)
        return [
            torch.bmm(x.mT, back),
            back.sum(dim=1, keepdim=True),
            torch.bmm(h.mT, residual),
            residual.sum(dim=1, keepdim=True),
        ]

    def _validation_errors(self, alive: Sequence[int]) -> list[float]:
        errors = []
        for position, i in enumerate(alive):
            w1, b1, w2, b2 = (v[position] for v in self.weights.values)
            _, _, x, y = self.data[i]
            errors.append(float((torch.addmm(b2, torch.addmm(b1, x, w1).tanh_(), w2) - y).square().mean()))
        return errors
