"""Norms of the exact parts of the attention sublayer (Kobayashi et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS, Contribution, Method, per_view

Fold: TypeAlias = Callable[[Tensor], Tensor]


def norm(view: BlockView, _rows: int = 0) -> Contribution:
    """||y_ij|| of the attention sublayer with its residual connection (Eqs. 5-8).

    Post-norm blocks (BERT): y_ij goes through the first LayerNorm, divided by the true standard deviation of the
    sum; the value bias belongs to its source, output bias and LayerNorm shift to nobody. Pre-norm blocks (GPT, Llama;
    in GPT-NeoX beside a parallel feed-forward part) have no norm after the addition, so y_ij is the part of the sum
    itself: Kobayashi et al. studied post-norm models only, and this is where we go on from them.
    """
    if not view.anatomy.post_norm:
        return norms_of_parts(view, view.output_projection, lambda x: x, None)
    after = view.attention_norm
    return norms_of_parts(view, after.folded(view.output_projection), after.folded, after.divisor(view.after_attention))


def norms_of_parts(
    view: BlockView,
    projection: Float[Tensor, "head size width"],
    fold: Fold,
    divisor: Float[Tensor, "text query 1"] | None,
) -> Contribution:
    """Norms and mixing ratio of the parts of the attention sublayer after norms that are folded into W_O.

    With v_hj the value of token j in head h through the folded W_O, ||sum_h a_hij v_hj||^2 = a' G a, G the heads' Gram
    matrix of token j: no vector per pair of positions is ever made.

    Parameters
    ----------
    fold
        What the norms do to a part of the sum, the division apart.
    divisor
        The product of their divisors at each position; None for 1.
    """
    through = view.through(projection)
    gram = through @ through.mT
    heads = view.weights.permute(0, 3, 2, 1)
    squared = ((heads @ gram) * heads).sum(dim=-1).mT
    own = fold(view.resid_pre) + view.own(through)
    others = fold(view.after_attention - view.output_bias) - own
    # Rounding can leave a hair below zero where heads cancel.
    amount = squared.clamp_min(0).sqrt()
    torch.diagonal(amount, dim1=1, dim2=2).copy_(own.norm(dim=-1))
    context = others.norm(dim=-1)
    ratio = context / (context + own.norm(dim=-1))
    return Contribution(amount if divisor is None else amount / divisor, ratio)


def sublayer_parts(view: BlockView, rows: int = 2048) -> Iterator[Float[Tensor, "text key query width"]]:
    """y_ij as vectors: what each token contributes to the output of the attention sublayer at each position.

    They come a few sources at a time (about `rows` vectors), in order. Their sum over all keys, plus `sublayer_bias`,
    is the sublayer's output (after the first LayerNorm in post-norm blocks).
    """
    post = view.anatomy.post_norm
    fold: Fold = view.attention_norm.folded if post else lambda x: x
    through, itself = view.through(fold(view.output_projection)), fold(view.resid_pre)
    divisor = view.attention_norm.divisor(view.after_attention)[:, None] if post else None
    for keys in view.key_slices(rows):
        parts = view.attended(through, keys)
        sources = torch.arange(keys.start, keys.stop, device=parts.device)
        parts[:, sources - keys.start, sources] += itself[:, keys]
        yield parts if divisor is None else parts.div_(divisor)


def sublayer_bias(view: BlockView) -> Float[Tensor, "text query width"]:
    """What belongs to no token: the output bias and, in post-norm blocks, the LayerNorm's shift."""
    bias = view.output_bias.expand_as(view.resid_pre)
    if not view.anatomy.post_norm:
        return bias
    after = view.attention_norm
    moved = after.linear(bias, after.divisor(view.after_attention))
    return moved if after.bias is None else moved + after.bias


METHODS.add(
    "norm",
    Method(
        "norm",
        per_view(norm),
        definition="norms of the exact parts through value, output projection, residual and the norm that follows",
        source="Kobayashi et al. 2021, Eqs. 5-8",
    ),
)
