"""Contributions through all blocks of a subject: per block and cumulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.residual.contributions import METHODS, Contribution
from interp.residual.forward import PROBES, ForwardPass
from interp.subjects.subject import Batch, Subject


@dataclass(frozen=True)
class Layers:
    """Contributions after each block, in a batch of texts of one length."""

    share: Float[Tensor, "layer text query key"]
    """Row-normalised contributions."""
    ratio: Float[Tensor, "layer text query"] | None
    bias: Float[Tensor, "layer text query"] | None
    """Norm of the biases' part, as a share of all parts' norms; None where the method keeps none."""
    error: Float[Tensor, "layer text query key"] | None
    """Relative standard error of the contributions, where they are estimates."""

    @classmethod
    def of(cls, found: Sequence[Contribution]) -> Layers:
        """Stack one contribution per layer."""

        def stacked(parts: list[Tensor]) -> Tensor | None:
            return torch.stack(parts) if parts else None

        return cls(
            torch.stack([c.share for c in found]),
            stacked([c.ratio for c in found if c.ratio is not None]),
            stacked([c.bias / (c.bias + c.amount.sum(dim=-1)) for c in found if c.bias is not None]),
            stacked([c.error for c in found if c.error is not None]),
        )

    @property
    def own(self) -> Float[Tensor, "layer text position"]:
        """The share of each position that is its own token's."""
        return torch.diagonal(self.share, dim1=2, dim2=3)


@dataclass(frozen=True)
class BatchTrace:
    """Contributions for one method: within each block, and of the input tokens to each layer."""

    blocks: Layers
    cumulated: Layers
    further: Mapping[str, Layers]
    """Cumulated in the method's other ways, by name."""


def trace_batch(
    subject: Subject, batch: Batch, methods: Sequence[str], *, probes: int | None = PROBES, seed: int = 0
) -> dict[str, BatchTrace]:
    """Run one batch (all texts of one length) and measure every method on the same pass.

    Parameters
    ----------
    probes
        Random directions per source token for `gradient`; None computes it exactly.

    Raises
    ------
    InputError
        For an unknown method, or one that has no definition for this subject.
    """
    chosen = [METHODS[name] for name in methods]
    for method in chosen:
        method.check(subject)
    with torch.no_grad():
        forward = ForwardPass.of(subject, batch, probes=probes, seed=seed)
        traces = {}
        for method in chosen:
            blocks = method.blocks(forward)
            cumulated = method.cumulate(forward, blocks)
            further = {name: Layers.of(way(forward, blocks)) for name, way in method.further.items()}
            traces[method.name] = BatchTrace(Layers.of(blocks), Layers.of(cumulated), further)
    return traces


@dataclass(frozen=True)
class TextTrace:
    """Contributions in one text."""

    tokens: list[str]
    special: Bool[Tensor, "position"]
    trace: BatchTrace

    def layers(self, *, cumulated: bool) -> Layers:
        """Within each block, or cumulated to the input."""
        return self.trace.cumulated if cumulated else self.trace.blocks

    def own_share(self, *, cumulated: bool) -> Float[Tensor, "layer position"]:
        """How much of each position is its own token's, after each block."""
        return self.layers(cumulated=cumulated).own[:, 0]


def trace_text(subject: Subject, text: str, method: str, *, probes: int | None = PROBES, seed: int = 0) -> TextTrace:
    """Contributions in `text`.

    Raises
    ------
    InputError
        For an unknown method or one that has no definition for this subject, a text without tokens or longer than the
        model's positions.
    """
    METHODS[method].check(subject)
    batch = subject.encode([text])
    trace = trace_batch(subject, batch, [method], probes=probes, seed=seed)[method]
    return TextTrace(subject.tokens(batch), batch.special[0].cpu(), trace)
