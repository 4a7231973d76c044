"""Norms of the Jacobian of a position by the tokens below (Brunner et al. 2020).

Forward mode: a direction put in at source j comes out as J_ij r at every position i and, handed on from block to block,
at every layer. The unit directions of a source give ||J_ij||_F exactly; K Rademacher directions r (entries +1 or -1)
estimate its square without bias, because E ||J r||^2 = ||J||_F^2. A loop over output coordinates would need as many
backward passes as there are layers x positions x coordinates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from interp.residual.blockview import wide
from interp.residual.contributions import METHODS, Contribution, Method
from interp.residual.forward import BlockCall, ForwardPass
from interp.seeding import generator


def blocks(forward: ForwardPass) -> list[Contribution]:
    """||d output_i / d input_j||_F of each block, its residual connection and feed-forward part included."""
    squares = [_Squares(forward) for _ in forward.calls]
    for sources, directions in _directions(forward):
        for found, call, view in zip(squares, forward.calls, forward.views, strict=True):
            found.add(sources, push(call, view.resid_pre, directions))
    return [found.contribution() for found in squares]


def cumulated(forward: ForwardPass, _: Sequence[Contribution]) -> list[Contribution]:
    """||d output_i of layer l / d embedding output_j||_F: the Jacobian itself, no product of norms."""
    squares = [_Squares(forward) for _ in forward.calls]
    for sources, directions in _directions(forward):
        moved = directions
        for found, call, view in zip(squares, forward.calls, forward.views, strict=True):
            moved = push(call, view.resid_pre, moved)
            found.add(sources, moved)
    return [found.contribution() for found in squares]


def push(
    call: BlockCall,
    at: Float[Tensor, "text position width"],
    directions: Float[Tensor, "direction text position width"],
) -> Float[Tensor, "direction text position width"]:
    """The block's derivative at `at` along each direction; the block itself is computed once."""
    point = at.to(directions.dtype)
    with warnings.catch_warnings():
        # torch loads its rules for forward mode through its own deprecated jit.script, once; no news to anyone here.
        warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
        return _pushed(call, point, directions)


def _pushed(call: BlockCall, point: Tensor, directions: Tensor) -> Tensor:
    with _WideNorms():
        return torch.func.vmap(lambda d: torch.func.jvp(call, (point,), (d,))[1])(directions)


class _WideNorms(TorchFunctionMode):
    """Layer norms in float32, whatever the block's type; the result has the block's type again.

    A GPU keeps a layer norm's statistics in float32, and torch's rule for its derivative then answers in float32 where
    the block goes on in bfloat16, which no matrix product takes. A block in float32 is computed as before.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        called = _layer_norm if func is functional.layer_norm else func
        return called(*args, **(kwargs or {}))


def _layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    gain, shift = (None if part is None else wide(part) for part in (weight, bias))
    return functional.layer_norm(wide(input), normalized_shape, gain, shift, eps).to(input.dtype)


def _directions(forward: ForwardPass) -> Iterator[tuple[Tensor, Float[Tensor, "direction text position width"]]]:
    """Directions a few at a time, with the source of each; the same for every text, so that a batch changes nothing."""
    texts, length, width = forward.views[0].resid_pre.shape
    like = torch.empty(0, device=forward.subject.device, dtype=forward.subject.dtype)
    if forward.probes is None:
        each = torch.eye(width).to(like).expand(length, width, width)
    else:
        rng = generator(forward.seed, "probes", str(length))
        each = torch.from_numpy(rng.choice([-1.0, 1.0], size=(length, forward.probes, width))).to(like)
    flat, per_source = each.reshape(-1, width), each.shape[1]
    step = max(1, forward.rows // (texts * length))
    for start in range(0, len(flat), step):
        chosen = flat[start : start + step]
        sources = torch.arange(start, start + len(chosen), device=like.device) // per_source
        directions = torch.zeros(len(chosen), texts, length, width).to(like)
        directions[torch.arange(len(chosen), device=like.device), :, sources] = chosen[:, None]
        yield sources, directions


class _Squares:
    """Sums over directions of ||J r||^2 and of its square, by source."""

    def __init__(self, forward: ForwardPass) -> None:
        texts, length, self.width = forward.views[0].resid_pre.shape
        self.probes = forward.probes
        self.sum = torch.zeros(length, texts, length, device=forward.subject.device, dtype=torch.float64)
        self.of_squares = torch.zeros_like(self.sum)

    def add(self, sources: Tensor, moved: Float[Tensor, "direction text position width"]) -> None:
        squared = wide(moved).square().sum(dim=-1).double()
        self.sum.index_add_(0, sources, squared)
        self.of_squares.index_add_(0, sources, squared.square())

    def contribution(self) -> Contribution:
        """||J_ij||_F with its relative standard error: half that of the mean of the squares (delta method)."""
        total, of_squares = self.sum.permute(1, 2, 0), self.of_squares.permute(1, 2, 0)
        if self.probes is None:
            return Contribution(total.sqrt().float())
        mean = total / self.probes
        if self.probes == 1:
            return Contribution(mean.sqrt().float(), error=torch.full_like(mean, float("nan")).float())
        variance = (of_squares / self.probes - mean.square()).clamp_min(0) / (self.probes - 1)
        relative = torch.where(mean > 0, variance.sqrt() / (2 * mean), torch.zeros_like(mean))
        return Contribution(mean.sqrt().float(), error=relative.float())


METHODS.add(
    "gradient",
    Method(
        "gradient",
        blocks,
        definition="Frobenius norm of the derivative of the position by the token's vector below",
        source="Brunner et al. 2020, section 4",
        costly=True,
        cumulate=cumulated,
    ),
)
