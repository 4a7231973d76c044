"""Training many small nets at once: one hidden tanh layer, mean squared error, Adam, early stopping (PROTOCOL 4).

Nets of one hidden size differ in their rows (folds) and their seed only, so their weights lie in one tensor and one
step trains them all. The two gradients are written out, which saves autograd's bookkeeping; biases are a last row of
the weights, so that a step is five products. Of sparse targets only the non-zero cells are subtracted. What a step
computes it writes where the step before it wrote, which saves asking for memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim.adam import adam
from tqdm import tqdm

from interp.seeding import generator

BATCH = 32
LEARNING_RATE = 1e-3
PATIENCE = 15
"""Epochs without a better validation MSE after which a net stops."""

MOST_EPOCHS = 1000

SPARSE_BELOW = 0.125
"""Targets whose fullest row has a smaller share of non-zero cells are subtracted cell by cell."""


@dataclass(frozen=True)
class Net:
    """A trained net, on standardised inputs: hidden = tanh([x, 1] W1), prediction = [hidden, 1] W2."""

    hidden: Float[np.ndarray, "width+1 size"]
    output: Float[np.ndarray, "size+1 feature"]
    epochs: int
    """Epochs until the best validation MSE."""

    def predict(self, x: Float[np.ndarray, "concept width"]) -> Float[np.ndarray, "concept feature"]:
        """Predictions for standardised inputs."""
        return np.tanh(x @ self.hidden[:-1] + self.hidden[-1]) @ self.output[:-1] + self.output[-1]


@dataclass(frozen=True)
class Job:
    """One net to train: its rows, its hidden size, its seed."""

    train: Int[np.ndarray, "training"]
    validation: Int[np.ndarray, "validating"]
    size: int
    seed: int
    fold: int


def standard(X: Float[np.ndarray, "training width"]) -> tuple[Float[np.ndarray, "width"], float]:
    """Mean of each dimension, and one standard deviation for all of them."""
    mean = X.mean(axis=0)
    return mean, float((X - mean).std()) or 1.0


class Targets:
    """Rows of Y, ready to be subtracted from predictions."""

    def __init__(self, Y: Float[np.ndarray, "concept feature"], device: str) -> None:
        self.values = torch.tensor(Y, dtype=torch.float32, device=device)
        most = int((Y != 0).sum(axis=1).max(initial=0))
        self.sparse = most < SPARSE_BELOW * Y.shape[1]
        if self.sparse:  # the non-zero cells of each row, filled up with zeros of column 0
            columns = np.argsort(Y == 0, axis=1, kind="stable")[:, :most]
            cells = np.take_along_axis(Y, columns, axis=1)
            self.columns = torch.as_tensor(np.where(cells == 0, 0, columns), device=device)
            self.negated = torch.as_tensor(-cells, dtype=torch.float32, device=device)

    def subtract_from(self, predicted: Float[Tensor, "net row feature"], rows: Int[Tensor, "net row"]) -> None:
        """Turn predictions for `rows` into residuals, in place."""
        if self.sparse:
            predicted.scatter_add_(2, self.columns[rows], self.negated[rows])
        else:
            predicted.sub_(self.values[rows])


class Trainer:
    """Trains nets of one size together; each sees its own rows in its own order and stops by itself.

    Parameters
    ----------
    X
        Inputs of all concepts, not standardised.
    targets
        Targets of all concepts.
    jobs
        The nets, of one hidden size.
    """

    def __init__(self, X: Float[np.ndarray, "concept width"], targets: Targets, jobs: Sequence[Job]) -> None:
        self.jobs, self.targets = list(jobs), targets
        self.device = targets.values.device
        self.rng = [generator(job.seed, "ffnn", f"fold {job.fold}", f"size {job.size}") for job in jobs]
        self.inputs = [self._inputs(X, job) for job in jobs]
        self.held = [torch.as_tensor(job.validation, device=self.device) for job in jobs]
        first, second = zip(*(self._initial(X.shape[1], job, rng) for job, rng in zip(jobs, self.rng)))
        self.weights = [torch.stack(first), torch.stack(second)]
        self.averages, self.squares = ([torch.zeros_like(w) for w in self.weights] for _ in range(2))
        self.steps = [torch.zeros((), device=self.device) for _ in self.weights]
        self._rooms: dict[str, Tensor] = {}

    def _inputs(self, X: np.ndarray, job: Job) -> Float[Tensor, "concept width+1"]:
        mean, scale = standard(X[job.train])
        x = torch.ones(len(X), X.shape[1] + 1)
        x[:, :-1] = torch.as_tensor((X - mean) / scale, dtype=torch.float32)
        return x.to(self.device)

    def _initial(self, width: int, job: Job, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """As torch's linear layers begin: uniform within inputs ** -0.5; the output bias at the mean."""

        def layer(inputs: int, outputs: int) -> Tensor:
            bound = inputs**-0.5
            drawn = rng.uniform(-bound, bound, (inputs + 1, outputs))
            return torch.as_tensor(drawn, dtype=torch.float32).to(self.device)

        features = self.targets.values.shape[1]
        hidden, output = layer(width, job.size), layer(job.size, features)
        rows = torch.as_tensor(job.train, device=self.device)
        output[-1] += self.targets.values[rows].mean(dim=0, dtype=torch.float64).float()
        return hidden, output

    def _keep(self, positions: Sequence[int]) -> None:
        """Go on with some of the nets; Adam's averages go with them."""
        index = torch.as_tensor(positions, device=self.device)
        for tensors in (self.weights, self.averages, self.squares):
            tensors[:] = [tensor[index] for tensor in tensors]

    def _room(self, name: str, *shape: int) -> Tensor:
        """Uninitialised memory of that shape, the same for every call of that name."""
        cells = math.prod(shape)
        if name not in self._rooms or self._rooms[name].numel() < cells:
            self._rooms[name] = torch.empty(cells, device=self.device)
        return self._rooms[name][:cells].view(shape)

    @torch.no_grad()
    def run(self, bar: tqdm) -> list[Net]:
        """Train until every net has stopped; the weights of its best epoch are what is left of each.

        What falls below float32's smallest normal number (1e-38) is zero meanwhile, in this thread. Features that no
        training concept carries bring residuals there after some epochs, and processors add numbers so small many
        times more slowly than others.
        """
        torch.set_flush_denormal(True)
        try:
            return self._run(bar)
        finally:
            torch.set_flush_denormal(False)

    def _run(self, bar: tqdm) -> list[Net]:
        n = len(self.jobs)
        best, best_epoch = [float("inf")] * n, [0] * n
        kept = [[weight[i].clone() for weight in self.weights] for i in range(n)]
        alive = list(range(n))
        for epoch in range(1, MOST_EPOCHS + 1):
            self._epoch(alive)
            stay = []
            for position, net in enumerate(alive):
                error = self._validation_error(position, net)
                if error < best[net]:
                    best[net], best_epoch[net] = error, epoch
                    kept[net] = [weight[position].clone() for weight in self.weights]
                if epoch - best_epoch[net] < PATIENCE and np.isfinite(error):
                    stay.append(position)
            bar.update(len(alive) - len(stay))
            if not stay:
                break
            if len(stay) < len(alive):
                alive = [alive[position] for position in stay]
                self._keep(stay)
        else:
            bar.update(len(alive))
        weights = [[w.cpu().double().numpy() for w in pair] for pair in kept]
        return [Net(hidden, output, epoch) for (hidden, output), epoch in zip(weights, best_epoch)]

    def _epoch(self, alive: Sequence[int]) -> None:
        """One pass over the training rows; every net makes as many steps as the one with the most rows."""
        orders = [self.rng[i].permutation(self.jobs[i].train) for i in alive]
        longest = max(map(len, orders))
        # A fold that is a few rows short of another starts again, so that batches are of one size.
        rows = torch.as_tensor(np.stack([np.resize(order, longest) for order in orders]), device=self.device)
        x = self._room("x", len(alive), longest, self.inputs[0].shape[1])
        for into, net, row in zip(x, alive, rows):
            torch.index_select(self.inputs[net], 0, row, out=into)
        for start in range(0, longest, BATCH):
            batch = slice(start, start + BATCH)
            self._step(x[:, batch], rows[:, batch])

    def _step(self, x: Float[Tensor, "net row width+1"], rows: Int[Tensor, "net row"]) -> None:
        """Gradients of the mean squared error, the two layers written out, and a step of Adam."""
        first, second = self.weights
        nets, batch, size, features = *rows.shape, first.shape[2], second.shape[2]
        one = self._room("one", nets, batch, size + 1)
        one[..., -1] = 1
        h = torch.tanh(torch.bmm(x, first, out=self._room("h", nets, batch, size)), out=one[..., :-1])
        residual = torch.bmm(one, second, out=self._room("residual", nets, batch, features))
        self.targets.subtract_from(residual, rows)
        # Weights first: a third faster than the same product the other way round.
        back = torch.bmm(second[:, :-1], residual.mT, out=self._room("back", nets, size, batch))
        back = torch.ops.aten.tanh_backward(back, h.mT)
        share = 2 / (batch * features)
        gradients = [self._room(f"gradient {i}", *weight.shape) for i, weight in enumerate(self.weights)]
        for gradient, given, error in zip(gradients, (x, one), (back.mT, residual)):
            torch.baddbmm(gradient, given.mT, error, beta=0, alpha=share, out=gradient)  # beta: nothing is read there
        adam(
            self.weights,
            gradients,
            self.averages,
            self.squares,
            max_exp_avg_sqs=[],
            state_steps=self.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=LEARNING_RATE,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def _validation_error(self, position: int, net: int) -> float:
        first, second = (weight[position] for weight in self.weights)
        rows = self.held[net]
        h = (self.inputs[net][rows] @ first).tanh_()
        residual = self._room("held", 1, len(rows), second.shape[1])
        torch.addmm(second[-1], h, second[:-1], out=residual[0])
        self.targets.subtract_from(residual, rows[None])
        return float(residual.square_().mean())
