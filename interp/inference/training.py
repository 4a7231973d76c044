"""Training many small nets at once: one hidden tanh layer, mean squared error, Adam, early stopping (PROTOCOL 4).

Nets of one hidden size differ in their rows (folds) and their seed only, so their weights lie in one tensor and one
step trains them all. The two gradients are written out, which saves autograd's bookkeeping; biases are a last row of
the weights, so that a step is five products. Of sparse targets only the non-zero cells are subtracted. What a step
computes it writes where the step before it wrote, which saves asking for memory, and views of it are made once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad
from tqdm import tqdm

from interp.seeding import generator

BATCH = 32
LEARNING_RATE = 1e-3
PATIENCE = 15
"""Epochs without a better validation MSE after which a net stops."""

MOST_EPOCHS = 1000

SPARSE_BELOW = 0.125
"""Targets whose fullest row has a smaller share of non-zero cells are subtracted cell by cell."""

ALIGNED = 16
"""Features are filled up with zeros to a multiple of this: products are a tenth faster where each row begins at a
boundary of the processor's registers. Weights that nothing is asked of stay zero."""


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
    rows: int
    """Rows an epoch goes through. A fold that is a few rows short of others begins again, so that all make as many
    steps; the number comes from all folds, so that a net does not depend on those it is trained with."""


def standard(X: Float[np.ndarray, "training width"]) -> tuple[Float[np.ndarray, "width"], float]:
    """Mean of each dimension, and one standard deviation for all of them."""
    mean = X.mean(axis=0)
    return mean, float((X - mean).std()) or 1.0


class Targets:
    """Rows of Y, ready to be subtracted from predictions (of ``padded`` features)."""

    def __init__(self, Y: Float[np.ndarray, "concept feature"], device: str) -> None:
        self.values = torch.tensor(Y, dtype=torch.float32, device=device)
        self.features = Y.shape[1]
        self.padded = math.ceil(self.features / ALIGNED) * ALIGNED
        most = int((Y != 0).sum(axis=1).max(initial=0))
        self.sparse = most < SPARSE_BELOW * Y.shape[1]
        if self.sparse:  # the non-zero cells of each row, filled up with zeros of column 0
            columns = np.argsort(Y == 0, axis=1, kind="stable")[:, :most]
            cells = np.take_along_axis(Y, columns, axis=1)
            self.columns = torch.as_tensor(np.where(cells == 0, 0, columns), device=device)
            self.negated = torch.as_tensor(-cells, dtype=torch.float32, device=device)

    def batches(self, rows: Int[Tensor, "net row"]) -> list[tuple[Tensor, ...]]:
        """What `subtract_from` needs for each batch of so many rows of every net."""
        if self.sparse:
            tables = self.columns, self.negated
            cells = [table.index_select(0, rows.flatten()).view(*rows.shape, -1) for table in tables]
        else:
            cells = [rows]
        return list(zip(*(cell.split(BATCH, 1) for cell in cells)))

    def subtract_from(self, predicted: Float[Tensor, "net row padded"], cells: tuple[Tensor, ...]) -> None:
        """Turn predictions into residuals, in place."""
        if self.sparse:
            predicted.scatter_add_(2, *cells)
        else:
            predicted[..., : self.features].sub_(self.values[cells[0]])


class Workspace:
    """Where a step of all nets, of so many rows each, writes its numbers, and the views it reads them by."""

    def __init__(self, weights: Sequence[Tensor], batch: int) -> None:
        (nets, _, size), padded = weights[0].shape, weights[1].shape[2]
        empty = weights[0].new_empty
        self.hidden, self.back = empty(nets, batch, size), empty(nets, size, batch)
        self.one = weights[0].new_ones(nets, batch, size + 1)
        """The hidden layer, and a one for the bias."""
        self.h = self.one[..., :-1]
        self.residual = empty(nets, batch, padded)
        self.second = weights[1][:, :-1]
        self.h_T, self.one_T, self.residual_T = self.h.mT, self.one.mT, self.residual.mT


class Trainer:
    """Trains nets of one size together; each sees its own rows in its own order and stops by itself.

    Parameters
    ----------
    X
        Inputs of all concepts, not standardised.
    targets
        Targets of all concepts.
    jobs
        The nets, of one hidden size and with as many rows an epoch.
    """

    def __init__(self, X: Float[np.ndarray, "concept width"], targets: Targets, jobs: Sequence[Job]) -> None:
        self.jobs, self.targets = list(jobs), targets
        self.device = targets.values.device
        self.rng = [generator(job.seed, "ffnn", f"fold {job.fold}", f"size {job.size}") for job in jobs]
        self.inputs = [self._inputs(X, job) for job in jobs]
        first, second = zip(*(self._initial(X.shape[1], job, rng) for job, rng in zip(jobs, self.rng)))
        self.weights = [torch.stack(first), torch.stack(second)]
        self.averages, self.squares = ([torch.zeros_like(w) for w in self.weights] for _ in range(2))
        self.step = torch.zeros((), device=self.device)
        self.alive = list(range(len(jobs)))
        self._prepare()

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

        hidden, output = layer(width, job.size), layer(job.size, self.targets.features)
        rows = torch.as_tensor(job.train, device=self.device)
        output[-1] += self.targets.values[rows].mean(dim=0, dtype=torch.float64).float()
        return hidden, pad(output, (0, self.targets.padded - self.targets.features))

    def layers(self, position: int) -> tuple[Float[Tensor, "width+1 size"], Float[Tensor, "size+1 feature"]]:
        """One net's weights: views, which go on changing."""
        return self.weights[0][position], self.weights[1][position, :, : self.targets.features]

    def _keep(self, positions: Sequence[int]) -> None:
        """Go on with some of the nets; Adam's averages go with them."""
        index = torch.as_tensor(positions, device=self.device)
        for tensors in (self.weights, self.averages, self.squares):
            tensors[:] = [tensor[index] for tensor in tensors]
        self.alive = [self.alive[position] for position in positions]
        self._prepare()

    def _prepare(self) -> None:
        """What depends on which nets are still trained: where numbers are written, and the validation batches."""
        self.gradients = [torch.empty_like(w) for w in self.weights]
        held = [self.jobs[net].validation for net in self.alive]
        longest = max(map(len, held))
        self.held = self._batches(held, longest)
        lengths = torch.as_tensor([len(rows) for rows in held], device=self.device)[:, None]
        counted = torch.arange(longest, device=self.device) < lengths
        self.held_shares = (counted / (lengths * self.targets.features)).split(BATCH, 1)
        self._workspaces: dict[int, Workspace] = {}

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
        kept = [[weight.clone() for weight in self.layers(i)] for i in range(n)]
        for epoch in range(1, MOST_EPOCHS + 1):
            self._epoch()
            stay = []
            for position, (net, error) in enumerate(zip(self.alive, self._validation_errors())):
                if error < best[net]:
                    best[net], best_epoch[net] = error, epoch
                    for into, weight in zip(kept[net], self.layers(position)):
                        into.copy_(weight)
                if epoch - best_epoch[net] < PATIENCE and np.isfinite(error):
                    stay.append(position)
            bar.update(len(self.alive) - len(stay))
            if not stay:
                break
            if len(stay) < len(self.alive):
                self._keep(stay)
        else:
            bar.update(len(self.alive))
        weights = [[w.cpu().double().numpy() for w in pair] for pair in kept]
        return [Net(hidden, output, epoch) for (hidden, output), epoch in zip(weights, best_epoch)]

    def _batches(self, orders: Sequence[np.ndarray], length: int) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """Inputs (net x row x width+1) and cells of the targets, a batch at a time, for the rows of each net.

        An order that is shorter than `length` begins again.
        """
        rows = torch.as_tensor(np.stack([np.resize(order, length) for order in orders]), device=self.device)
        x = self.inputs[0].new_empty(*rows.shape, self.inputs[0].shape[1])
        for into, net, row in zip(x, self.alive, rows):
            torch.index_select(self.inputs[net], 0, row, out=into)
        return list(zip(x.split(BATCH, 1), self.targets.batches(rows)))

    def _epoch(self) -> None:
        """One pass over the training rows."""
        orders = [self.rng[i].permutation(self.jobs[i].train) for i in self.alive]
        for x, cells in self._batches(orders, self.jobs[0].rows):
            self._step(x, cells)

    def _residuals(self, x: Float[Tensor, "net row width+1"], cells: tuple[Tensor, ...]) -> Workspace:
        """Predictions less targets, and the hidden layer that they were made of."""
        first, second = self.weights
        batch = x.shape[1]
        if batch not in self._workspaces:
            self._workspaces[batch] = Workspace(self.weights, batch)
        w = self._workspaces[batch]
        torch.tanh(torch.bmm(x, first, out=w.hidden), out=w.h)
        torch.bmm(w.one, second, out=w.residual)
        self.targets.subtract_from(w.residual, cells)
        return w

    def _step(self, x: Float[Tensor, "net row width+1"], cells: tuple[Tensor, ...]) -> None:
        """Gradients of the mean squared error, the two layers written out, and a step of Adam."""
        w = self._residuals(x, cells)
        share = 2 / (x.shape[1] * self.targets.features)
        # Weights first: a third faster than the same product the other way round.
        torch.bmm(w.second, w.residual_T, out=w.back)
        error = torch.ops.aten.tanh_backward(w.back, w.h_T).mT
        for gradient, given, back in zip(self.gradients, (x.mT, w.one_T), (error, w.residual)):
            torch.baddbmm(gradient, given, back, beta=0, alpha=share, out=gradient)  # beta: nothing is read there
        self.step += 1
        torch._fused_adam_(  # the step of torch.optim.Adam, without what that looks up first
            self.weights,
            self.gradients,
            self.averages,
            self.squares,
            [],
            [self.step, self.step],
            lr=LEARNING_RATE,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def _validation_errors(self) -> list[float]:
        """Mean squared error of every net that is still trained, on its own validation rows."""
        errors = torch.zeros(len(self.alive), device=self.device)
        for (x, cells), share in zip(self.held, self.held_shares):
            errors += (self._residuals(x, cells).residual.square_().sum(2) * share).sum(1)
        return errors.tolist()
