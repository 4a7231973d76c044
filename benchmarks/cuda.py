"""What a GPU gives and the processor beside it gives: the time of each, and how far their numbers are apart.

There are no rows where torch sees no GPU. A row fails where the two are further apart than it allows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks import contributions, ffnn, null, pls, scaling
from benchmarks.problems import load, seconds
from interp import residual, subjects

GPU = "cuda"
SAME = 1e-6
"""In float64 (PLSR), relative to the largest number."""

CLOSE = 1e-3
"""In float32: shares, and statistics of predictions."""

HALF = 0.02
"""In bfloat16, which keeps three digits: means of shares over texts."""

BATCHES = {"value-zeroing": 3, "propagated": 3, "gradient": 1}
"""Batches that slow methods are timed on; the others on `MANY`."""

MANY = 8
TEXTS = 300


def _apart(here: Sequence[np.ndarray], there: Sequence[np.ndarray], most: float, *, relative: bool) -> float:
    """The largest difference, of numbers or relative to the largest of them."""
    found = 0.0
    for a, b in zip(here, there, strict=True):
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            raise RuntimeError("one of the two is not a number where the other is")
        scale = np.nanmax(np.abs(a)) if relative else 1.0
        found = max(found, float(np.nanmax(np.abs(a - b)) / scale))
    if not found <= most:
        raise RuntimeError(f"the GPU's numbers are {found:.1e} from the processor's, which is more than {most:.0e}")
    return found


def _gib() -> str:
    return f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB of the GPU's memory"


def plsr(norms: str, what: str) -> dict[str, Any]:
    """The path of every fold and latent size, and predictions at the smallest validation error."""
    from interp.inference import pls as mapping

    X, Y, splits, note = pls.problem(norms)
    found: dict[str, list[np.ndarray]] = {}

    def run(device: str) -> None:
        found[device] = []
        fitted = mapping.fit_folds(X, Y, [s.train for s in splits], pls.LARGEST, device=device)
        for split, path in zip(splits, fitted, strict=True):
            errors = path.squared_errors(X[split.validation], Y[split.validation])
            best = int(errors.mean(axis=0).argmin())
            found[device] += [errors, *(path.predict(X[split.test], size) for size in (best, pls.LARGEST))]

    run(GPU)  # a GPU's first products set it up
    times = {device: seconds(functools.partial(run, device), 3) for device in (GPU, "cpu")}
    apart = _apart(found["cpu"], found[GPU], SAME, relative=True)
    return _row(
        f"PLSR, {what}, 10 folds, sizes 0..{pls.LARGEST}, float64", times, f"{note}; predictions {apart:.0e} apart"
    )


def permutations() -> dict[str, Any]:
    """The permutation null, every statistic of every permutation compared."""
    from interp.inference.permutation import permutation_null

    X, norms, note = load("mcrae")
    found: dict[str, np.ndarray] = {}

    def run(device: str) -> None:
        nulls = permutation_null(X, norms, range(null.OURS), folds=null.FOLDS, largest=null.LARGEST, device=device)
        found[device] = nulls.values["value"].to_numpy()

    run(GPU)
    times = {device: seconds(functools.partial(run, device)) for device in (GPU, "cpu")}
    apart = _apart([found["cpu"]], [found[GPU]], CLOSE, relative=False)
    return _row(
        f"null on McRae, {null.OURS} row permutations, 10 folds, 5 metrics",
        times,
        f"{note}; statistics at most {apart:.0e} apart (a prediction may change its rank by rounding)",
    )


def nets() -> dict[str, Any]:
    """The nets of all folds and sizes, and an ordinary torch loop on the same GPU."""
    from interp.inference import ffnn as mapping
    from interp.inference import grouped_folds

    X, norms, note = load("mcrae")
    Y = norms.values
    folds = [(split.train, split.validation) for split in grouped_folds(norms.lemmas, ffnn.FOLDS, 0)]
    found: dict[str, list[mapping.FFNNPath]] = {}

    def run(device: str) -> None:
        found[device] = mapping.fit_folds(X, Y, folds, progress=False, device=device)

    run(GPU)
    times = {device: seconds(functools.partial(run, device), 2) for device in (GPU, "cpu")}
    loop = sum(ffnn.looped(X, Y, folds[0], found[GPU], size, GPU)[1] for size in mapping.HIDDEN_SIZES)
    same = [
        here.nets[size].epochs == there.nets[size].epochs
        for here, there in zip(found["cpu"], found[GPU], strict=True)
        for size in mapping.HIDDEN_SIZES
    ]
    errors = [
        [path.squared_errors(X[held], Y[held]).mean(axis=0) for path, (_, held) in zip(found[device], folds)]
        for device in ("cpu", GPU)
    ]
    apart = _apart(*errors, 10 * CLOSE, relative=True)
    return _row(
        f"ffnn on McRae, {ffnn.FOLDS} folds, hidden sizes {', '.join(map(str, mapping.HIDDEN_SIZES))}",
        times,
        f"{note}; {sum(same)} of {len(same)} nets stop at the same epoch, and validation errors differ by at most "
        f"{apart:.0e} of the largest; torch's loop, one net at a time on the same GPU, takes {loop:.3g} s "
        f"({loop / times[GPU]:.1f} times as long; timed on 1 fold, a time an epoch, times the epochs of all)",
    )


def method(name: str) -> dict[str, Any]:
    """A contribution method on sentences of WikiText-2, as in `contributions`."""
    there, here = (subjects.load("minilm", device=device) for device in (GPU, "cpu"))
    texts, note = contributions.sentences(contributions.TEXTS)
    count = BATCHES.get(name, MANY)
    times, plain, apart = dict.fromkeys((GPU, "cpu"), 0.0), 0.0, 0.0
    on_cpu = [batch for batch, _ in contributions.strata(here, texts, count)]
    for (batch, many), beside in zip(contributions.strata(there, texts, count), on_cpu, strict=True):
        mine, forward = contributions.timed(there, name, batch)
        trace = functools.partial(residual.trace_batch, methods=[name], probes=contributions.PROBES)
        times[GPU], plain = times[GPU] + many * mine, plain + many * forward
        times["cpu"] += many * seconds(lambda beside=beside, trace=trace: trace(here, beside))  # type: ignore[misc]
        shares = [
            [layers.own.double().cpu().numpy() for layers in (found.blocks, found.cumulated)]
            for found in (trace(here, beside)[name], trace(there, batch)[name])
        ]
        apart = max(apart, _apart(*shares, CLOSE, relative=False))
    return _row(
        f"{name}, {contributions.TEXTS:,} sentences",
        times,
        f"{times[GPU] / plain:.2f} plain passes of the same GPU; own shares at most {apart:.0e} apart; {note}; "
        f"{count} batch{'es' * (count > 1)} timed, multiplied",
    )


def half(name: str) -> dict[str, Any]:
    """A statistic of every layer in bfloat16 on the GPU, against float32 on the GPU."""
    texts, note = contributions.sentences(TEXTS)
    found, times = {}, {}
    for dtype in ("bfloat16", "float32"):
        subject = subjects.load("minilm", device=GPU, dtype=dtype)
        run = functools.partial(residual.mixing_table, subject, texts, [name])
        run()
        times[dtype] = seconds(lambda run=run, dtype=dtype: found.update({dtype: residual.pooled(run())}))  # type: ignore[misc]
    values = [
        found[dtype].query("quantity in ['own share', 'own share, cumulated']")["value"].to_numpy()
        for dtype in ("float32", "bfloat16")
    ]
    apart = _apart([values[0]], [values[1]], HALF, relative=False)
    return {
        "what": f"residual mixing by {name}, {TEXTS} sentences, bfloat16",
        "seconds": times["bfloat16"],
        "against": "the same in float32 on the same GPU",
        "against_seconds": times["float32"],
        "note": f"mean own shares of the layers at most {apart:.3f} apart; {note}",
    }


def memory(count: int) -> dict[str, Any]:
    """Residual mixing of so many sentences, batch by batch: the GPU's peak memory is the point."""
    subject = subjects.load("minilm", device=GPU)
    texts, note = contributions.short_sentences(subject, count)
    torch.cuda.reset_peak_memory_stats()
    weights = torch.cuda.memory_allocated()
    time = seconds(lambda: residual.mixing_table(subject, texts, ["norm"], batch_size=contributions.FEW))
    return {
        "what": f"residual mixing by norm, {contributions.STREAMED[count]} sentences, one after the other",
        "seconds": time,
        "note": f"at most {torch.cuda.max_memory_allocated() / 2**20:.1f} MiB of the GPU's memory, "
        f"{weights / 2**20:.1f} of them the model; {note}",
    }


def largest() -> dict[str, Any]:
    """One fold of the largest shape of `scaling`."""
    shape = scaling.TOGETHER[-1]
    problem = scaling.fold(*shape)
    found: dict[str, np.ndarray] = {}

    def run(device: str) -> None:
        found[device] = scaling.fit(*problem, device)

    times = {device: seconds(functools.partial(run, device)) for device in (GPU, "cpu")}
    apart = _apart([found["cpu"]], [found[GPU]], SAME, relative=True)
    what = "PLSR, one fold of {:,} x {:,} -> {:,}, float64".format(*shape)
    return _row(what, times, f"random data; errors of all sizes {apart:.0e} apart")


def _row(what: str, times: dict[str, float], note: str) -> dict[str, Any]:
    return {
        "what": what,
        "seconds": times[GPU],
        "against": "the same on the processor",
        "against_seconds": times["cpu"],
        "note": f"{note}; {_gib()}",
    }


def rows() -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements; none without a GPU."""
    if not torch.cuda.is_available():
        return {}
    return {
        "plsr mcrae": functools.partial(plsr, "mcrae", "McRae (541 x 384 -> 2,526)"),
        "plsr buchanan": functools.partial(plsr, "buchanan", "Buchanan (4,436 x 384 -> 3,981)"),
        "null": permutations,
        "ffnn": nets,
        **{f"memory {count}": functools.partial(memory, count) for count in contributions.STREAMED},
        **{name: functools.partial(method, name) for name in residual.METHODS},
        **{f"bfloat16 {name}": functools.partial(half, name) for name in contributions.AT_MOST},
        "largest": largest,
    }
