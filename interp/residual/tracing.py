"""Contributions through all blocks of a subject: per block and rolled out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS
from interp.subjects.subject import Batch, Subject


@dataclass(frozen=True)
class BatchTrace:
    """Contributions in a batch of texts of one length, for one method."""

    share: Float[Tensor, "layer text query key"]
    """Row-normalised contributions of each block."""
    ratio: Float[Tensor, "layer text query"] | None
    rollout: Float[Tensor, "layer text query key"]
    """Product of the share matrices of blocks 0 to l: contributions of the input tokens to layer l."""


def rollout(share: Float[Tensor, "layer text query key"]) -> Float[Tensor, "layer text query key"]:
    """Cumulated products of the blocks' matrices, the lowest block rightmost (Abnar & Zuidema 2020, Eq. 1).

    Their residual connection is not added here: it is part of each method's matrix.
    """
    below = share[0]
    result = [below]
    for matrix in share[1:]:
        below = matrix @ below
        result.append(below)
    return torch.stack(result)


def trace_batch(subject: Subject, batch: Batch, methods: list[str]) -> dict[str, BatchTrace]:
    """Run one batch (all texts of one length) and measure every method on the same pass."""
    chosen = [METHODS[name] for name in methods]
    with subject.capture([f"blocks.*.{site}" for site in BlockView.SITES]) as captured:
        subject(batch)
    views = [BlockView.of(subject.anatomy, block, captured, i) for i, block in enumerate(subject.blocks)]
    traces = {}
    for method in chosen:
        blocks = [method.measure(view) for view in views]
        share = torch.stack([b.share.float() for b in blocks])
        ratios = [b.ratio.float() for b in blocks if b.ratio is not None]
        traces[method.name] = BatchTrace(share, torch.stack(ratios) if ratios else None, rollout(share))
    return traces


@dataclass(frozen=True)
class TextTrace:
    """Contributions in one text."""

    tokens: list[str]
    special: Bool[Tensor, "position"]
    trace: BatchTrace

    def own_share(self, *, cumulated: bool) -> Float[Tensor, "layer position"]:
        """How much of each position is its own token's, after each block."""
        matrices = self.trace.rollout if cumulated else self.trace.share
        return torch.diagonal(matrices[:, 0], dim1=1, dim2=2)


def trace_text(subject: Subject, text: str, method: str) -> TextTrace:
    """Contributions in `text`.

    Raises
    ------
    InputError
        For an unknown method, a text without tokens or longer than the model's positions.
    """
    METHODS[method]
    batch = subject.encode([text])
    return TextTrace(subject.tokens(batch), batch.special[0].cpu(), trace_batch(subject, batch, [method])[method])
