"""Training the grid of feed-forward nets in batches, against an ordinary torch loop that trains one net at a time.

Both sides on one core, where batches save calls and copies only, and both on every core, as torch is used by default:
a product as small as one net's gains little from a second core, and nets can be trained side by side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.problems import load, seconds

FOLDS = 10
CLOSE = 1e-3
"""Largest difference of the two versions' predictions, relative to the largest prediction."""


def plain_torch(X: np.ndarray, Y: np.ndarray, job: Any, device: str = "cpu") -> tuple[nn.Module, int]:
    """The obvious loop: a module, autograd, torch's Adam, early stopping; the net of its best epoch, and epochs run.

    It starts from the same weights and takes the rows in the same order, so that it stops at the same epoch.
    """
    from interp.inference.training import BATCH, LEARNING_RATE, MOST_EPOCHS, PATIENCE, Targets, Trainer, standard

    start = Trainer(X, Targets(Y, device), [job])
    net = nn.Sequential(nn.Linear(X.shape[1], job.size), nn.Tanh(), nn.Linear(job.size, Y.shape[1])).to(device)
    with torch.no_grad():
        for layer, weight in zip((net[0], net[2]), start.layers(0), strict=True):
            layer.weight.copy_(weight[:-1].T)
            layer.bias.copy_(weight[-1])
    mean, scale = standard(X[job.train])
    x, y = (torch.as_tensor(a, dtype=torch.float32, device=device) for a in ((X - mean) / scale, Y.copy()))
    held = torch.as_tensor(job.validation, device=device)
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    best, best_epoch, kept, epoch = float("inf"), 0, net.state_dict(), 0
    while epoch < MOST_EPOCHS and epoch - best_epoch < PATIENCE:
        epoch += 1
        for batch in torch.as_tensor(start.rng[0].permutation(job.train), device=device).split(BATCH):
            optimiser.zero_grad()
            nn.functional.mse_loss(net(x[batch]), y[batch]).backward()
            optimiser.step()
        with torch.no_grad():
            error = float(nn.functional.mse_loss(net(x[held]), y[held]))
        if error < best:
            best, best_epoch = error, epoch
            kept = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.load_state_dict(kept)
    return net, epoch


def looped(
    X: np.ndarray,
    Y: np.ndarray,
    fold: tuple[np.ndarray, np.ndarray],
    paths: Sequence[Any],
    size: int,
    device: str = "cpu",
) -> tuple[nn.Module, float]:
    """The loop's net of one fold and hidden size, and its seconds for as many epochs as the nets of all `paths` ran.

    The better of two tries counts: a GPU's first products set it up.
    """
    from interp.inference.training import MOST_EPOCHS, PATIENCE, Job

    found: list[tuple[nn.Module, int]] = []
    job = Job(*fold, size, 0, 0, len(fold[0]))
    once = seconds(lambda: found.append(plain_torch(X, Y, job, device)), 2)
    net, epochs = found[0]
    return net, once / epochs * sum(min(path.nets[size].epochs + PATIENCE, MOST_EPOCHS) for path in paths)


def grid(norms: str, what: str, trained: int, threads: int) -> dict[str, Any]:
    """All hidden sizes of so many folds of one seed; the same nets come out."""
    torch.set_num_threads(threads)
    from interp.inference import ffnn, grouped_folds
    from interp.inference.training import standard

    X, loaded, note = load(norms)
    Y = loaded.values
    folds = [(split.train, split.validation) for split in grouped_folds(loaded.lemmas, FOLDS, 0)][:trained]
    paths: list[ffnn.FFNNPath] = []
    ours = seconds(lambda: paths.extend(ffnn.fit_folds(X, Y, folds, progress=False)), 2)
    paths = paths[:trained]  # of one try
    theirs, flushing, apart = 0.0, 0.0, 0.0
    mean, scale = standard(X[folds[0][0]])
    for size in ffnn.HIDDEN_SIZES:
        net, took = looped(X, Y, folds[0], paths, size)
        theirs += took
        torch.set_flush_denormal(True)
        flushing += looped(X, Y, folds[0], paths, size)[1]
        torch.set_flush_denormal(False)
        with torch.no_grad():
            said = net(torch.as_tensor((X - mean) / scale, dtype=torch.float32)).double().numpy()
        apart = max(apart, float(np.abs(said - paths[0].predict(X, size)).max() / np.abs(said).max()))
    if apart > CLOSE:
        raise RuntimeError(f"the two versions do not give the same nets: predictions differ by {apart:.1e}")
    return {
        "what": f"ffnn on {what}, {trained} folds, hidden sizes {', '.join(map(str, ffnn.HIDDEN_SIZES))}; both sides "
        f"with {threads} thread{'s' * (threads > 1)}",
        "seconds": ours,
        "against": "torch: one net at a time, autograd, torch.optim.Adam, the same early stopping",
        "against_seconds": theirs,
        "target": 5,
        "note": f"{note}; both timed twice, the better time counts; torch's loop timed on 1 fold, a time an epoch, "
        f"times the epochs of all folds; {flushing / ours:.1f}x where it, too, takes numbers below float32's smallest "
        f"normal one for zero; predictions of the same nets differ by at most {apart:.0e} of the largest; more seeds "
        "are more of the same",
    }


def rows() -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements."""
    mcrae = partial(grid, "mcrae", "McRae (541 x 384 -> 2,526)", FOLDS)
    return {
        "one core": partial(mcrae, 1),
        "every core": partial(mcrae, os.cpu_count() or 1),
        "Buchanan": partial(grid, "buchanan", "Buchanan (4,436 x 384 -> 3,981)", 4, os.cpu_count() or 1),
    }
