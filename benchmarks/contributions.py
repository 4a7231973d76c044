"""What each contribution method costs: its time as a multiple of one plain forward pass over the same batches.

    python benchmarks/contributions.py --texts 24 --costly 4

Writes a table beside itself. Everything is measured in one run, alternating with the forward pass it is divided by, the
best of several repetitions: other programs on the machine only ever add time. The slow versions that the costly methods
are held against are timed on a part of their work and scaled up to the whole; the table says how.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

from interp import corpora, residual, subjects
from interp.residual.forward import ForwardPass
from interp.residual.propagation import FrozenBlock
from interp.subjects import Batch, Subject

TARGETS = {"weights": 1.5, "norm": 4, "globenc": 4, "alti": 8}
SAMPLED = 8
"""Output coordinates per layer that the slow Jacobian is timed on."""


def seconds(work: Callable[[], object], repetitions: int) -> float:
    """Best of several."""
    best = float("inf")
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def jacobian_rows(subject: Subject, batch: Batch) -> float:
    """Seconds for the Jacobians of all layers by backward passes, one per output coordinate, blocks and cumulated."""
    with torch.enable_grad():
        forward = ForwardPass.of(subject, batch)
        below = forward.views[0].resid_pre.clone().requires_grad_(True)
        stream, layers, starts = below, [], [below]
        for call in forward.calls:
            stream = call(stream)
            layers.append(stream)
            starts.append(stream)
        total = 0.0
        coordinates = below.shape[1] * below.shape[2]
        for layer, start in zip(layers, starts[:-1], strict=True):
            for source in (below, start):
                began = time.perf_counter()
                for c in range(SAMPLED):
                    torch.autograd.grad(layer[:, c % layer.shape[1], c].sum(), source, retain_graph=True)
                total += (time.perf_counter() - began) / SAMPLED * coordinates
    return total


def one_source_at_a_time(subject: Subject, texts: list[str], *, again: bool) -> None:
    """`propagated` in a loop over texts and source tokens; `again` runs the model for each, as a hook would."""
    with torch.no_grad():
        for text in texts:
            batch = subject.encode([text])
            forward = ForwardPass.of(subject, batch)
            frozen = [FrozenBlock(view) for view in forward.views]
            for source in range(batch.ids.shape[1]):
                if again:
                    forward = ForwardPass.of(subject, batch)
                    frozen = [FrozenBlock(view) for view in forward.views]
                for first, last in [(0, len(frozen)), *((i, i + 1) for i in range(len(frozen)))]:
                    part = torch.zeros_like(forward.views[first].resid_pre)[:, None]
                    part[:, 0, source] = forward.views[first].resid_pre[:, source]
                    for block in frozen[first:last]:
                        part = block(part)
                        part.norm(dim=-1)


def measured(subject: Subject, texts: list[str], costly: int, batch_size: int, probes: int, repeat: int) -> list[str]:
    """The table's rows."""
    batches = list(subject.batches(texts, batch_size))
    some = texts[:costly]
    few = list(subject.batches(some, batch_size))

    def plain(over: list[Batch]) -> float:
        return seconds(lambda: [subject(b) for b in over], repeat)

    def method(name: str, over: list[Batch]) -> float:
        return seconds(lambda: [residual.trace_batch(subject, b, [name], probes=probes) for b in over], repeat)

    rows = []
    for name, target in TARGETS.items():
        once = plain(batches)
        rows.append(f"| {name} | {method(name, batches) / once:.2f} | at most {target} | |")
        print(rows[-1], flush=True)
    once = plain(few)
    naive = sum(plain([b]) * b.ids.shape[1] * subject.n_layers for b in few)
    mine = method("value-zeroing", few)
    rows.append(
        f"| value-zeroing | {mine / once:.1f} | 5 times faster than a forward pass per token and layer | "
        f"{naive / mine:.1f} times (forward passes timed, multiplied) |"
    )
    print(rows[-1], flush=True)
    mine = method("propagated", few)
    kept, anew = (seconds(lambda a=a: one_source_at_a_time(subject, some, again=a), 1) for a in (False, True))
    rows.append(
        f"| propagated | {mine / once:.1f} | 5 times faster than a loop over source tokens | {anew / mine:.1f} times "
        f"where the model runs for each source, {kept / mine:.1f} times where what is frozen is kept between them |"
    )
    print(rows[-1], flush=True)
    one = few[:1]
    once, mine = plain(one), method("gradient", one)
    trace = residual.trace_batch(subject, one[0], ["gradient"], probes=probes)["gradient"]
    error = 100 * float(trace.cumulated.error[-1].nanmean())  # type: ignore[index]
    slow = jacobian_rows(subject, one[0])
    rows.append(
        f"| gradient, {probes} probes | {mine / once:.1f} | 5 times faster than a loop over output coordinates | "
        f"{slow / mine:.0f} times ({SAMPLED} coordinates a layer timed, scaled to all); "
        f"stated error {error:.0f} % a contribution |"
    )
    print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", default="minilm")
    parser.add_argument("--corpus", default="plain")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument(
        "--costly", type=int, default=16, help="texts for value-zeroing and propagated; gradient: one batch"
    )
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--probes", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    subject = subjects.load(given.subject, device=given.device)
    texts = corpora.load(given.corpus).sample(given.texts)
    rows = measured(subject, texts, min(given.costly, len(texts)), given.batch_size, given.probes, given.repeat)
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} used, {given.device.split(':')[0].upper()}"
    head = [
        "# Contribution methods: time as a multiple of one forward pass",
        "",
        f"{given.subject}, {given.texts} sentences of {given.corpus} ({given.costly} for the costly methods, one "
        f"batch for gradient), eager attention, float32, batches of one length of at most {given.batch_size}; "
        f"{machine}; torch {torch.__version__}. Best of {given.repeat}, from one run of `benchmarks/contributions.py`.",
        "",
        "| method | forward passes | target | against the slow version |",
        "|---|---|---|---|",
    ]
    given.out.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
