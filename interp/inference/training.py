"""Training many small nets at once: one hidden tanh layer, mean squared error, Adam, early stopping (PROTOCOL 4).

Nets of one hidden size differ in their rows (folds) and their seed only, so their weights lie in one tensor and one
step trains them all. The two gradients are written out, which saves autograd's bookkeeping; biases are a last row of
the weights, so that a step is five products. Of sparse targets only the non-zero cells are subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
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
            self.cells = torch.as_tensor(cells, dtype=torch.float32, device=device)

    def subtract_from(self, predicted: Float[Tensor, "net row feature"], rows: Int[Tensor, "net row"]) -> None:
        """Turn predictions for `rows` into residuals, in place."""
        if not self.sparse:
            predicted.sub_(self.values[rows])
            return
        flat = rows.reshape(-1)
        begin = torch.arange(len(flat), device=predicted.device)[:, None] * predicted.shape[2]
        predicted.view(-1).index_add_(0, (self.columns[flat] + begin).view(-1), self.cells[flat].view(-1), alpha=-1)


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
        first, second = zip(*(self._initial(X.shape[1], job, rng) for job, rng in zip(jobs, self.rng)))
        self.weights = [torch.stack(first), torch.stack(second)]
        self.optimiser = self._adam()

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
        output[-1] += self.targets.values[torch.as_tensor(job.train, device=self.device)].double().mean(dim=0).float()
        return hidden, output

    def _adam(self) -> torch.optim.Adam:
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)
        return torch.optim.Adam(self.weights, lr=LEARNING_RATE, fused=True)

    def _keep(self, positions: Sequence[int]) -> None:
        """Go on with some of the nets; Adam's state goes with them."""
        index = torch.as_tensor(positions, device=self.device)
        before, states = self.weights, [self.optimiser.state[weight] for weight in self.weights]
        self.weights = [weight[index] for weight in before]
        self.optimiser = self._adam()
        for weight, state in zip(self.weights, states):
            self.optimiser.state[weight] = {
                "step": state["step"],
                **{name: state[name][index] for name in ("exp_avg", "exp_avg_sq")},
            }

    @torch.no_grad()
    def run(self, bar: tqdm) -> list[Net]:
        """Train until every net has stopped; the weights of its best epoch are what is left of each."""
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
        x = torch.stack([self.inputs[i][r] for i, r in zip(alive, rows)])
        for start in range(0, longest, BATCH):
            batch = slice(start, start + BATCH)
            self._step(x[:, batch], rows[:, batch])

    def _step(self, x: Float[Tensor, "net row width+1"], rows: Int[Tensor, "net row"]) -> None:
        """Gradients of the mean squared error, the two layers written out, and a step of Adam."""
        first, second = self.weights
        h = torch.bmm(x, first).tanh_()
        one = torch.cat([h, h.new_ones(*h.shape[:2], 1)], dim=2)
        residual = torch.bmm(one, second)
        self.targets.subtract_from(residual, rows)
        share = 2 / (residual.shape[1] * residual.shape[2])
        back = torch.bmm(residual, second[:, :-1].mT).mul_((1 - h * h) * share)
        torch.bmm(x.mT, back, out=first.grad)
        torch.bmm(one.mT * share, residual, out=second.grad)
        self.optimiser.step()

    def _validation_error(self, position: int, net: int) -> float:
        first, second = (weight[position] for weight in self.weights)
        rows = torch.as_tensor(self.jobs[net].validation, device=self.device)
        h = (self.inputs[net][rows] @ first).tanh_()
        predicted = torch.addmm(second[-1], h, second[:-1])
        return float((predicted - self.targets.values[rows]).square().mean())
