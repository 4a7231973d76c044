"""How much each token contributes to each position in one block: the methods (PROTOCOL 8).

A method gives, for each text, a matrix of non-negative contributions (query x key) and, where it knows the contributed
vectors y_ij, the mixing ratio of each position. The two summaries never stand for each other:

- **share** = ||y_ii|| / sum_k ||y_ik||, the diagonal of the row-normalised matrix;
- **ratio** (Kobayashi et al. 2021, Eq. 8) = ||sum_{j != i} y_ij|| / (||sum_{j != i} y_ij|| + ||y_ii||).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interp.registry import Registry
from interp.residual.blockview import BlockView


@dataclass(frozen=True)
class Contribution:
    """What one block does, for a batch of texts of one length."""

    amount: Float[Tensor, "text query key"]
    """Non-negative contributions, not normalised."""
    ratio: Float[Tensor, "text query"] | None
    """Mixing ratio of each position; None for methods without vectors."""

    @property
    def share(self) -> Float[Tensor, "text query key"]:
        """Rows normalised to one."""
        return self.amount / self.amount.sum(dim=-1, keepdim=True)


@dataclass(frozen=True)
class Method:
    """A contribution method."""

    name: str
    measure: Callable[[BlockView], Contribution]
    definition: str
    source: str
    own_share_is_free: bool = True
    """Whether the own share can take any value; where it is fixed by construction it carries no verdict."""


METHODS: Registry[Method] = Registry("contribution method", "interp methods")


def method(
    name: str, *, definition: str, source: str, own_share_is_free: bool = True
) -> Callable[[Callable[[BlockView], Contribution]], Callable[[BlockView], Contribution]]:
    """Register the decorated function as the method `name`."""

    def add(measure: Callable[[BlockView], Contribution]) -> Callable[[BlockView], Contribution]:
        METHODS.add(name, Method(name, measure, definition, source, own_share_is_free))
        return measure

    return add


@method(
    "weights",
    definition="attention weights, mean over heads, and the identity, half each",
    source="Abnar & Zuidema 2020, section 3",
    own_share_is_free=False,
)
def weights(view: BlockView) -> Contribution:
    """Half the residual connection, half the mean attention map: the own share is at least one half by construction."""
    attention = view.weights.float().mean(dim=1)
    matrix = (attention + torch.eye(attention.shape[-1], device=attention.device)) / 2
    return Contribution(matrix, None)


@method(
    "norm",
    definition="norms of the exact parts through value, output projection, residual and the norm that follows",
    source="Kobayashi et al. 2021, Eqs. 5-8",
)
def norm(view: BlockView) -> Contribution:
    """||y_ij|| of the attention sublayer with its residual connection.

    Post-norm blocks (BERT): y_ij goes through the first LayerNorm, divided by the true standard deviation of the
    sum; the value bias belongs to its source, output bias and LayerNorm shift to nobody. Pre-norm blocks (GPT, Llama)
    have no norm after the addition, so y_ij is the part of the sum itself: Kobayashi et al. studied post-norm models
    only, and this is where we go on from them.
    """
    vectors = sublayer_parts(view)
    amount = vectors.norm(dim=-1)
    own = torch.diagonal(amount, dim1=1, dim2=2)
    itself = torch.diagonal(vectors, dim1=1, dim2=2).mT
    others = (vectors.sum(dim=2) - itself).norm(dim=-1)
    return Contribution(amount, others / (others + own))


def sublayer_parts(view: BlockView) -> Float[Tensor, "text query key width"]:
    """y_ij: what token j contributes to the output of the attention sublayer at position i.

    Their sum over j, plus `sublayer_bias`, is the sublayer's output (after the first LayerNorm in post-norm blocks).
    """
    parts = view.attended()
    own = torch.arange(parts.shape[1], device=parts.device)
    parts[:, own, own] += view.resid_pre
    if not view.anatomy.post_norm:
        return parts
    after = view.attention_norm
    divisor = after.divisor(view.resid_pre + view.attention_out)
    return after.linear(parts, divisor[:, :, None])


def sublayer_bias(view: BlockView) -> Float[Tensor, "text query width"]:
    """What belongs to no token: the output bias and, in post-norm blocks, the LayerNorm's shift."""
    bias = view.output_bias.expand_as(view.resid_pre)
    if not view.anatomy.post_norm:
        return bias
    after = view.attention_norm
    moved = after.linear(bias, after.divisor(view.resid_pre + view.attention_out))
    return moved if after.bias is None else moved + after.bias
