"""Contribution methods over 1,000 sentences of WikiText-2 with minilm, as multiples of one plain forward pass.

The sentences are cut into batches of one length, as the package does, and the batches, ordered by length, into strata.
Of each stratum its fullest batch is timed, alternating with the plain pass over the same batch, and multiplied by the
stratum's sentences over the batch's. The slow versions that costly methods are held against are timed on a part of
their work; each row says which.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from benchmarks.problems import seconds
from interp import corpora, residual, subjects
from interp.errors import InputError
from interp.residual.blockview import BlockView
from interp.residual.forward import ForwardPass
from interp.subjects import Batch, Subject

TEXTS = 1000
BATCH = 16
REPEATS = 3
AT_MOST = {"weights": 1.5, "norm": 4, "globenc": 4, "alti": 8}
PROBES = 4
COORDINATES = 4
"""Output coordinates per layer that the slow Jacobian is timed on."""
STREAMED = {100: "100", 10_000: "10,000"}
FEW = 8
"""Sentences in a batch where memory is measured."""

SHORT = 100
"""Characters of the sentences that memory is measured on, at most: the same for few and for many."""


def _corpus() -> tuple[list[str], str]:
    """All sentences of WikiText-2, or where it is not there of the package, in a random order; and a note."""
    try:
        corpus, note = corpora.load("wikitext2"), "WikiText-2, minilm"
    except InputError:
        corpus, note = corpora.load("plain"), "no WikiText-2 here: the package's sentences, minilm"
    return corpus.sample(len(corpus.texts)), note


def _so_many(texts: Sequence[str], count: int) -> list[str]:
    return list(itertools.islice(itertools.cycle(texts), count))


def sentences(count: int) -> tuple[list[str], str]:
    """So many sentences, over again if they are too few; and a note."""
    texts, note = _corpus()
    return _so_many(texts, count), note


def short_sentences(subject: Subject, count: int) -> tuple[list[str], str]:
    """Sentences to measure memory on, and a note.

    They begin with the longest, as often as fills a batch: what a batch takes depends on its length, however many texts
    there are.
    """
    texts, note = _corpus()
    short = [text for text in texts if len(text) <= SHORT]
    longest = max(short, key=lambda text: len(subject.tokenizer(text)["input_ids"]))
    note += f"; sentences of at most {SHORT} characters, in batches of {FEW}; one batch is of the longest"
    return _so_many([longest] * FEW + short, count), note


def strata(subject: Subject, texts: Sequence[str], count: int) -> list[tuple[Batch, float]]:
    """The batches to time, and what each one's time is multiplied by."""
    batches = list(subject.batches(texts, BATCH))
    chosen = []
    for members in np.array_split(np.arange(len(batches)), count):
        fullest = max((batches[i] for i in members), key=len)
        chosen.append((fullest, sum(len(batches[i]) for i in members) / len(fullest)))
    return chosen


def timed(subject: Subject, method: str, batch: Batch, repeats: int = REPEATS) -> tuple[float, float]:
    """Seconds of the method and of a plain pass, the best of some tries that take turns."""
    tries = [
        (
            seconds(lambda: residual.trace_batch(subject, batch, [method], probes=PROBES)),
            seconds(lambda: subject(batch)),
        )
        for _ in range(repeats + 1)
    ]
    mine, plain = zip(*tries[1:], strict=True)  # the first only warms up
    return min(mine), min(plain)


def cheap(method: str) -> dict[str, Any]:
    """A method against the plain pass."""
    subject = subjects.load("minilm")
    texts, note = sentences(TEXTS)
    mine = plain = 0.0
    for batch, times in strata(subject, texts, 16):
        found = timed(subject, method, batch)
        mine, plain = mine + times * found[0], plain + times * found[1]
    return {
        "what": f"{method}, {TEXTS:,} sentences",
        "seconds": mine,
        "against": "one plain forward pass",
        "against_seconds": plain,
        "at_most": AT_MOST[method],
        "note": f"{note}; 16 batches timed, multiplied",
    }


def value_zeroing() -> dict[str, Any]:
    """Against one forward pass for each token and layer."""
    subject = subjects.load("minilm")
    texts, note = sentences(TEXTS)
    mine = plain = slow = 0.0
    for batch, times in strata(subject, texts, 8):
        found = timed(subject, "value-zeroing", batch)
        mine, plain = mine + times * found[0], plain + times * found[1]
        slow += times * found[1] * batch.ids.shape[1] * subject.n_layers
    return {
        "what": f"value-zeroing, {TEXTS:,} sentences",
        "seconds": mine,
        "against": "a forward pass for each token and layer",
        "against_seconds": slow,
        "target": 5,
        "note": f"{mine / plain:.1f} plain forward passes; {note}; 8 batches timed, and multiplied",
    }


class Held:
    """A block of BERT with attention, divisors and gains held fixed: the obvious version, from the model's modules."""

    def __init__(self, view: BlockView) -> None:
        block: Any = view.block
        self.weights, self.value = view.weights, block.attention.self.value.weight
        self.out, self.up, self.down = (
            m.dense.weight for m in (block.attention.output, block.intermediate, block.output)
        )
        self.norms = block.attention.output.LayerNorm, block.output.LayerNorm
        entering = self.norms[0](view.after_attention)
        self.gain = block.intermediate(entering) / block.intermediate.dense(entering)
        self.deviations = [
            (x.var(dim=-1, keepdim=True, correction=0) + norm.eps).sqrt()
            for x, norm in zip((view.after_attention, entering + view.feedforward_out), self.norms, strict=True)
        ]

    def __call__(self, part: Tensor) -> Tensor:
        """What one source's vectors (text, position, width) become."""
        values = linear(part, self.value).unflatten(-1, (self.weights.shape[1], -1)).transpose(1, 2)
        mixed = (self.weights @ values).transpose(1, 2).flatten(2)
        after = self._norm(0, part + linear(mixed, self.out))
        return self._norm(1, after + linear(linear(after, self.up) * self.gain, self.down))

    def _norm(self, which: int, x: Tensor) -> Tensor:
        norm: nn.LayerNorm = self.norms[which]
        return (x - x.mean(dim=-1, keepdim=True)) / self.deviations[which] * norm.weight


def one_source_at_a_time(subject: Subject, batch: Batch, *, again: bool) -> None:
    """What `propagated` gives, in a loop over source tokens; `again` runs the model for each, as hooks on it would."""
    with torch.no_grad():
        forward = ForwardPass.of(subject, batch)
        held = [Held(view) for view in forward.views]
        for source in range(batch.ids.shape[1]):
            if again:
                forward = ForwardPass.of(subject, batch)
                held = [Held(view) for view in forward.views]
            for first, last in [(0, len(held)), *((i, i + 1) for i in range(1, len(held)))]:
                part = torch.zeros_like(forward.views[first].resid_pre)
                part[:, source] = forward.views[first].resid_pre[:, source]
                for block in held[first:last]:
                    part = block(part)
                    part.norm(dim=-1)


def propagated() -> dict[str, Any]:
    """Against a loop over source tokens, with and without running the model for each of them."""
    subject = subjects.load("minilm")
    texts, note = sentences(TEXTS)
    mine = plain = anew = kept = 0.0
    lengths = {}
    for batch, times in strata(subject, texts, 5):
        found = timed(subject, "propagated", batch, 1)
        loop = functools.partial(one_source_at_a_time, subject, subject.encode([texts[batch.index[0]]]))
        loops = [len(batch) * seconds(functools.partial(loop, again=again), 2) for again in (True, False)]
        lengths[batch.ids.shape[1]] = [slow / found[0] for slow in loops]
        mine, plain = mine + times * found[0], plain + times * found[1]
        anew, kept = anew + times * loops[0], kept + times * loops[1]
    return {
        "what": f"propagated, {TEXTS:,} sentences",
        "seconds": mine,
        "against": "a loop over texts and source tokens, the model run with hooks for each",
        "against_seconds": anew,
        "target": 5,
        "note": f"{mine / plain:.1f} plain forward passes; {kept / mine:.1f}x where the loop keeps what it holds fixed "
        f"from one source to the next; {note}; 5 batches timed (the loops on 1 text of each), multiplied",
        "by_length": lengths,
    }


def gradient() -> dict[str, Any]:
    """Against the Jacobian by backward passes, one for each output coordinate."""
    subject = subjects.load("minilm")
    texts, note = sentences(TEXTS)
    (batch, times), *_ = strata(subject, texts, 1)
    mine, plain = timed(subject, "gradient", batch, 1)
    trace = residual.trace_batch(subject, batch, ["gradient"], probes=PROBES)["gradient"]
    error = 100 * float(trace.cumulated.error[-1].nanmean())  # type: ignore[index]
    return {
        "what": f"gradient, {PROBES} probes, {TEXTS:,} sentences",
        "seconds": times * mine,
        "against": "a backward pass for each output coordinate, blocks and cumulated",
        "against_seconds": times * jacobian_rows(subject, batch),
        "target": 5,
        "note": f"{mine / plain:.0f} plain forward passes; stated error {error:.0f} % a contribution; {note}; "
        f"1 batch timed, multiplied; {COORDINATES} coordinates a layer of the slow version, scaled to all",
    }


def jacobian_rows(subject: Subject, batch: Batch) -> float:
    """Seconds for the Jacobians of all layers by the embedding output, and of all blocks, row by row."""
    with torch.enable_grad():
        forward = ForwardPass.of(subject, batch)
        below = forward.views[0].resid_pre.clone().requires_grad_(True)
        layers = list(itertools.accumulate(forward.calls, lambda stream, call: call(stream), initial=below))
        total, coordinates = 0.0, below.shape[1] * below.shape[2]
        for start, layer in itertools.pairwise(layers):
            for source in (below, start):

                def rows(layer: Tensor = layer, source: Tensor = source) -> None:
                    for c in range(COORDINATES):
                        torch.autograd.grad(layer[:, c % layer.shape[1], c].sum(), source, retain_graph=True)

                total += seconds(rows) / COORDINATES * coordinates
    return total


def memory(count: int) -> dict[str, Any]:
    """Residual mixing of so many sentences, batch by batch: the peak memory is the point."""
    subject = subjects.load("minilm")
    texts, note = short_sentences(subject, count)
    return {
        "what": f"residual mixing by norm, {STREAMED[count]} sentences, one after the other",
        "seconds": seconds(lambda: residual.mixing_table(subject, texts, ["norm"], batch_size=FEW)),
        "note": note,
    }


def rows() -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurements."""
    return {
        **{method: functools.partial(cheap, method) for method in AT_MOST},
        "value-zeroing": value_zeroing,
        "gradient": gradient,
        "propagated": propagated,
        **{f"memory {count}": functools.partial(memory, count) for count in STREAMED},
    }


def summary(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """How far `propagated` is ahead by length, and how peak memory grows with the number of sentences."""
    lines = []
    if (found := measured.get("propagated")) is not None:
        lines += ["| tokens | propagated against the loop | against the loop that keeps |", "| ---: | ---: | ---: |"]
        lines += [f"| {n} | {anew:.1f}x | {kept:.1f}x |" for n, (anew, kept) in found["by_length"].items()]
    peaks = [measured[f"memory {n}"]["peak_gib"] for n in STREAMED if f"memory {n}" in measured]
    if len(peaks) == len(STREAMED):
        few, many = STREAMED.values()
        lines += [
            "",
            f"Peak memory at {many} sentences is {peaks[1] / peaks[0]:.2f} times that at {few}: what grows is the "
            "table of results, a few numbers a sentence and layer, from which intervals are drawn, and what the "
            "allocator keeps from batches of many lengths.",
        ]
    return "\n".join(lines)
