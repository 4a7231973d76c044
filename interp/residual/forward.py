"""One forward pass of a subject over a batch, kept in the form contribution methods work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interp.residual.blockview import BlockView
from interp.subjects.subject import Batch, Subject

PROBES = 8
"""How many random directions per source `gradient` takes unless it is told otherwise."""


@dataclass(frozen=True)
class BlockCall:
    """A block with everything but its input: mask, rotary positions and the like, as the model handed them over."""

    block: nn.Module
    arguments: tuple[Any, ...]
    named: dict[str, Any]

    def __call__(self, stream: Float[Tensor, "text position width"]) -> Float[Tensor, "text position width"]:
        """The block's output for another input."""
        out = self.block(stream, *self.arguments, **self.named)
        return out[0] if isinstance(out, tuple) else out


@dataclass(frozen=True)
class ForwardPass:
    """What all methods share: the model has run once."""

    subject: Subject
    batch: Batch
    views: tuple[BlockView, ...]
    calls: tuple[BlockCall, ...]
    probes: int | None = PROBES
    """Random directions per source for `gradient`; None: exact."""
    seed: int = 0

    @property
    def rows(self) -> int:
        """How many vectors methods hold at once: a few megabytes, so that they stay in a CPU's cache; more on a GPU."""
        return 2048 if self.subject.device.type == "cpu" else 1 << 16

    @classmethod
    def of(cls, subject: Subject, batch: Batch, *, probes: int | None = PROBES, seed: int = 0) -> ForwardPass:
        """Run `subject` on texts of one length.

        Raises
        ------
        InputError
            For a subject whose attention gives no weights.
        ValueError
            For a padded batch: `Subject.batches` makes batches of one length.
        """
        if not bool(batch.mask.all()):
            raise ValueError("contributions are measured on texts of one length, without padding")
        calls: list[BlockCall] = []
        handles = [block.register_forward_pre_hook(_record(calls), with_kwargs=True) for block in subject.blocks]
        try:
            with torch.no_grad(), subject.capture([f"blocks.*.{site}" for site in BlockView.SITES]) as trace:
                subject(batch)
        finally:
            for handle in handles:
                handle.remove()
        subject.maps(trace)
        views = tuple(BlockView.of(subject.anatomy, block, trace, i) for i, block in enumerate(subject.blocks))
        return cls(subject, batch, views, tuple(calls), probes, seed)


def _record(calls: list[BlockCall]) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
    def before(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        stream = args[0] if args else kwargs["hidden_states"]
        texts = stream.shape[0]
        rest = tuple(_of_one_text(x, texts) for x in args[1:])
        named = {k: _of_one_text(v, texts) for k, v in kwargs.items() if k != "hidden_states"}
        calls.append(BlockCall(block, rest, named))

    return before


def _of_one_text(x: Any, texts: int) -> Any:
    """Masks and positions are the same for all texts of one length: keep those of the first, for any batch size."""
    if isinstance(x, Tensor) and x.ndim > 1 and x.shape[0] == texts:
        return x[:1]
    return tuple(_of_one_text(y, texts) for y in x) if isinstance(x, tuple) else x
