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

from interp.residual.blockview import Affine, BlockView
from interp.residual.contributions import METHODS, Contribution, Method
from interp.residual.forward import ForwardPass


class FrozenBlock:
    """A block as the affine map it is once attention, divisors and gains are held fixed.

    Norms are folded into the matrices beside them, and the divisors of norms that come first into the attention and the
    gains: a part goes through five products with little between them.
    """

    def __init__(self, view: BlockView) -> None:
        first, second, forward = view.attention_norm, view.feedforward_norm, view.feedforward
        out, stream = Affine(view.output_projection.flatten(0, 1), view.output_bias), view.after_attention
        self.view, self.post = view, view.anatomy.post_norm
        self.attended = view.weights.sum(dim=-1)
        if self.post:
            entering = first(stream)
            self.value, self.weights, self.out = view.value_projection, view.weights, first.after(out)
            self.up, self.down = forward.up, second.after(forward.down)
            self.gain = self.opened = forward.gain(entering)
            self.divisors = first.divisor(stream), second.divisor(entering + view.feedforward_out)
        else:
            entering = view.resid_pre if view.parallel else stream
            self.value, self.out = first.before(view.value_projection), out
            self.weights = view.weights / first.divisor(view.resid_pre)[:, None].mT
            self.up, self.down = second.before(forward.up), forward.down
            self.opened = forward.gain(second(entering))
            self.gain = self.opened / second.divisor(entering)

    def __call__(
        self, parts: Float[Tensor, "text source position width"], *, biases: bool = False
    ) -> Float[Tensor, "text source position width"]:
        """The parts after the block; `biases` adds the block's own, and belongs to one part only.

        The first positions may be missing from the parts, where they received nothing.
        """
        here = slice(self.view.resid_pre.shape[1] - parts.shape[2], None)
        attention = self.out(self._mixed(self.value(parts, bias=False), here, biases), bias=biases)
        stream = self._joined(0, parts, attention, here, biases)
        raised = self.up(parts if self.view.parallel else stream, bias=False).mul_(self.gain[:, None, here])
        if biases and self.up.bias is not None:
            raised += self.up.bias * self.opened[:, None, here]
        return self._joined(1, stream, self.down(raised, bias=biases), here, biases)

    def alone(
        self, vectors: Float[Tensor, "text position width"], rows: int
    ) -> Iterator[tuple[range, Float[Tensor, "text source position width"]]]:
        """The parts after the block of vectors that stand at one position each, a few sources at a time.

        At every position such a part is a mixture of the same few vectors, one from each head and one that the residual
        connection leaves, so that only these have to be raised by the feed-forward part's first matrix.
        """
        values = self.value(vectors, bias=False).unflatten(-1, self.view.output_projection.shape[:2])
        own = self._folded(0, vectors)
        if self.view.parallel:
            own = own + self.down(self.up(vectors, bias=False).mul_(self.gain), bias=False)
        through = self._folded(1, self._through(values, self.out.weight, own))
        raised = self._through(values, self.out.weight @ self.up.weight, self.up(own, bias=False))
        shares = self._shares()
        for keys in self.view.key_slices(rows):
            here = slice(keys.start if self.view.anatomy.causal else 0, None)
            mine = shares[:, keys, here]
            parts = mine @ through[:, keys]
            if not self.view.parallel:
                parts += self.down((mine @ raised[:, keys]).mul_(self.gain[:, None, here]), bias=False)
            yield range(keys.start, keys.stop), parts.div_(self.divisors[1][:, None, here]) if self.post else parts

    def _mixed(self, values: Tensor, here: slice, biases: bool) -> Tensor:
        """Values mixed by the attention: one product a head, the sources side by side."""
        heads, sources = self.view.output_projection.shape[:2], values.shape[1]
        side_by_side = values.unflatten(-1, heads).permute(0, 3, 2, 1, 4).flatten(3)
        mixed = (self.weights[:, :, here, here] @ side_by_side).unflatten(-1, (sources, -1)).permute(0, 3, 2, 1, 4)
        if biases and self.value.bias is not None:
            mixed = mixed + self.attended[:, None, :, here].mT[..., None] * self.value.bias.unflatten(0, heads)
        return mixed.flatten(3)

    def _joined(self, which: int, parts: Tensor, added: Tensor, here: slice, biases: bool) -> Tensor:
        """The residual connection around the attention (0) or the feed-forward part (1), and the norm that follows."""
        added += self._folded(which, parts)
        if not self.post:
            return added
        added /= self.divisors[which][:, None, here]
        shift = (self.view.attention_norm, self.view.feedforward_norm)[which].bias
        return added + shift if biases and shift is not None else added

    def _folded(self, which: int, parts: Tensor) -> Tensor:
        """Parts through the norm after the attention (0) or the feed-forward part (1), if any; the division apart."""
        norm = (self.view.attention_norm, self.view.feedforward_norm)[which]
        return norm.folded(parts) if self.post else parts

    @staticmethod
    def _through(values: Tensor, matrix: Tensor, own: Tensor) -> Float[Tensor, "text key head+1 width"]:
        """Each head's value of each token through its rows of a matrix, and the token's own vector after them."""
        by_head = torch.einsum("bkhs,hsd->bkhd", values, matrix.unflatten(0, values.shape[2:]))
        return torch.cat([by_head, own[:, :, None]], dim=2)

    def _shares(self) -> Float[Tensor, "text key query head+1"]:
        """How much of each of these vectors a position gets: its attention, and from itself the whole of the last."""
        texts, _, length, _ = self.weights.shape
        itself = torch.eye(length).to(self.weights).expand(texts, 1, length, length)
        shares = torch.cat([self.weights, itself], dim=1).permute(0, 3, 2, 1)
        return shares / self.divisors[0][:, None] if self.post else shares


def token_parts(
    forward: ForwardPass, *, first: int = 0, last: int | None = None
) -> Iterator[tuple[range | None, list[Float[Tensor, "text source position width"]]]]:
    """The parts after each of the blocks first..last of what stood at each position before block `first`.

    Sources come a few at a time, as (sources, one tensor per block); the biases' part comes first, with None. In causal
    subjects, positions before the first of these sources receive nothing and are left out.
    """
    lowest, *others = (FrozenBlock(view) for view in forward.views[first:last])
    start = forward.views[first].resid_pre
    part = start.new_zeros(len(start), 1, *start.shape[1:])
    yield None, [part := block(part, biases=True) for block in (lowest, *others)]
    for sources, parts in lowest.alone(start, forward.rows):
        yield sources, [parts, *(parts := block(parts) for block in others)]


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
        missing = length - layers[0].shape[2]
        for amount, itself, parts in zip(amounts, own, layers, strict=True):
            amount[:, missing:, sources.start : sources.stop] = parts.norm(dim=-1).mT
            itself[:, mine] = parts[:, mine - sources.start, mine - missing]
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
