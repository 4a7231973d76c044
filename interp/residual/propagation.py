"""The vector of every source token carried through all blocks (Modarressi et al. 2023, DecompX).

Attention weights, the norms' divisors and the gain of each inner unit of the feed-forward part are held at their true
values. The model is then linear in its input vectors, and each position's hidden state is the sum of one vector from
every source token and one from the biases.

Modarressi et al. study BERT and split biases among the tokens or leave them out; here they are a part of their own. The
same definition is used for pre-norm and parallel blocks. In a gated feed-forward part the gate is what is held fixed,
so that vectors pass through the matrix that it multiplies; that is our choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp.residual.blockview import BlockView, Norm
from interp.residual.contributions import METHODS, Contribution, Method
from interp.residual.forward import ForwardPass


class FrozenBlock:
    """A block as the affine map it is once attention, divisors and gains are held fixed."""

    def __init__(self, view: BlockView) -> None:
        self.view = view
        post = view.anatomy.post_norm
        stream = view.after_attention
        self.first = view.attention_norm.divisor(stream if post else view.resid_pre)[:, None]
        entering = view.attention_norm(stream) if post else stream
        before = entering + view.feedforward_out if post else view.resid_pre if view.parallel else stream
        self.second = view.feedforward_norm.divisor(before)[:, None]
        self.gain = view.feedforward.gain(entering if post else view.feedforward_norm(before))[:, None]
        self.weights = view.weights[:, None]

    def __call__(
        self, parts: Float[Tensor, "text source position width"], *, biases: bool = False
    ) -> Float[Tensor, "text source position width"]:
        """The parts after the block; `biases` adds the block's own, and belongs to one part only."""
        view = self.view
        if view.anatomy.post_norm:
            parts = self._norm(view.attention_norm, self.first, parts + self._attention(parts, biases), biases)
            return self._norm(view.feedforward_norm, self.second, parts + self._feedforward(parts, biases), biases)
        stream = parts + self._attention(self._norm(view.attention_norm, self.first, parts, biases), biases)
        entering = parts if view.parallel else stream
        return stream + self._feedforward(self._norm(view.feedforward_norm, self.second, entering, biases), biases)

    @staticmethod
    def _norm(norm: Norm, divisor: Tensor, parts: Tensor, biases: bool) -> Tensor:
        normed = norm.linear(parts, divisor)
        return normed + norm.bias if biases and norm.bias is not None else normed

    def _attention(self, parts: Tensor, biases: bool) -> Tensor:
        heads, size, width = self.view.output_projection.shape
        values = self.view.value_projection(parts, bias=biases).unflatten(-1, (heads, size)).transpose(2, 3)
        mixed = (self.weights @ values).transpose(2, 3).flatten(-2)
        out = mixed @ self.view.output_projection.reshape(heads * size, width)
        return out + self.view.output_bias if biases else out

    def _feedforward(self, parts: Tensor, biases: bool) -> Tensor:
        forward = self.view.feedforward
        return forward.down(forward.up(parts, bias=biases).mul_(self.gain), bias=biases)


def token_parts(
    forward: ForwardPass, *, first: int = 0, last: int | None = None
) -> Iterator[tuple[range | None, list[Float[Tensor, "text source position width"]]]]:
    """The parts after each of the blocks first..last of what stood at each position before block `first`.

    Sources come a few at a time, as (sources, one tensor per block); the biases' part comes first, with None.
    """
    frozen = [FrozenBlock(view) for view in forward.views[first:last]]
    start = forward.views[first].resid_pre
    texts, length, width = start.shape
    part = start.new_zeros(texts, 1, length, width)
    yield None, [part := block(part, biases=True) for block in frozen]
    step = max(1, forward.rows // (texts * length))
    for low in range(0, length, step):
        sources = torch.arange(low, min(low + step, length), device=start.device)
        parts = start.new_zeros(texts, len(sources), length, width)
        parts[:, sources - low, sources] = start[:, sources]
        yield range(low, low + len(sources)), [parts := block(parts) for block in frozen]


def _measured(forward: ForwardPass, *, first: int, last: int | None) -> list[Contribution]:
    """Norms, ratios and the biases' norms after each of the blocks."""
    views = forward.views[first:last]
    like = views[0].resid_pre
    texts, length, _ = like.shape
    amounts = [like.new_zeros(texts, length, length) for _ in views]
    own = [torch.zeros_like(like) for _ in views]
    biases: list[Tensor] = []
    for sources, layers in token_parts(forward, first=first, last=last):
        if sources is None:
            biases = [part[:, 0] for part in layers]
            continue
        mine = torch.arange(sources.start, sources.stop, device=like.device)
        for amount, itself, parts in zip(amounts, own, layers, strict=True):
            amount[:, :, sources.start : sources.stop] = parts.norm(dim=-1).mT
            itself[:, mine] = parts[:, mine - sources.start, mine]
    result = []
    for view, amount, itself, bias in zip(views, amounts, own, biases, strict=True):
        context = (view.resid_post - bias - itself).norm(dim=-1)
        result.append(Contribution(amount, context / (context + itself.norm(dim=-1)), bias.norm(dim=-1)))
    return result


def blocks(forward: ForwardPass) -> list[Contribution]:
    """What each block makes of the vectors that stood before it."""
    return [_measured(forward, first=i, last=i + 1)[0] for i in range(len(forward.views))]


def cumulated(forward: ForwardPass, _: Sequence[Contribution]) -> list[Contribution]:
    """What the embedding outputs become after each block: the vectors themselves, not a product of matrices."""
    return _measured(forward, first=0, last=None)


METHODS.add(
    "propagated",
    Method(
        "propagated",
        blocks,
        definition="norm of the vector that the token's own vector becomes, attention, divisors and gains held fixed",
        source="Modarressi et al. 2023, section 3",
        costly=True,
        cumulate=cumulated,
    ),
)
