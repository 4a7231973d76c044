"""Norms of the parts after the second LayerNorm as well (Modarressi et al. 2022, GlobEnc)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS, Contribution, Method, per_view, rollout_unnormalised
from interp.residual.norms import norms_of_parts
from interp.subjects.subject import Subject


def globenc(view: BlockView, _rows: int = 0) -> Contribution:
    """||y_ij|| after both residual connections and both LayerNorms of a post-norm block.

    What the feed-forward part adds belongs to nobody; it enters through the second LayerNorm's divisor only, which is
    the true standard deviation of what that norm receives.
    """
    first, second = view.attention_norm, view.feedforward_norm

    def fold(x: Tensor) -> Tensor:
        return second.folded(first.folded(x))

    divisor = first.divisor(view.after_attention) * second.divisor(_before_second(view))
    return norms_of_parts(view, fold(view.output_projection), fold, divisor)


def _before_second(view: BlockView) -> Float[Tensor, "text position width"]:
    return view.attention_norm(view.after_attention) + view.feedforward_out


def encoder_rest(view: BlockView) -> Float[Tensor, "text position width"]:
    """What the parts of `globenc` leave of the block's output: biases, shifts, and the feed-forward part."""
    first, second = view.attention_norm, view.feedforward_norm
    bias = first.linear(view.output_bias.expand_as(view.resid_pre), first.divisor(view.after_attention))
    shift = bias if first.bias is None else bias + first.bias
    rest = second.linear(shift + view.feedforward_out, second.divisor(_before_second(view)))
    return rest if second.bias is None else rest + second.bias


def _lacking(subject: Subject) -> str | None:
    if subject.anatomy.post_norm:
        return None
    return "its blocks have no norm after an addition, so there is no second LayerNorm to go through; use norm"


METHODS.add(
    "globenc",
    Method(
        "globenc",
        per_view(globenc),
        definition="as norm, and on through the second residual connection and LayerNorm; feed-forward excluded",
        source="Modarressi et al. 2022, section 3",
        further={"unnormalised": rollout_unnormalised},
        lacking=_lacking,
    ),
)
