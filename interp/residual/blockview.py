"""One block during one forward pass, taken apart in the same terms for every family."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interp.subjects.anatomy import Anatomy, part
from interp.subjects.capture import Trace


@dataclass(frozen=True)
class Norm:
    """A LayerNorm, or an RMSNorm (no centring, no shift), as a scale on each vector once its divisor is known."""

    weight: Float[Tensor, "width"]
    bias: Float[Tensor, "width"] | None
    eps: float
    centred: bool

    @classmethod
    def of(cls, module: nn.Module) -> Norm:
        """Read a norm module of transformers or torch."""
        eps = getattr(module, "eps", getattr(module, "variance_epsilon", 1e-6))
        bias = getattr(module, "bias", None)
        return cls(module.weight, bias, float(eps), isinstance(module, nn.LayerNorm))  # type: ignore[arg-type]

    def centre(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Subtract the mean over the width, where this norm does so."""
        return x - x.mean(dim=-1, keepdim=True) if self.centred else x

    def divisor(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch 1"]:
        """The true standard deviation (root mean square for RMSNorm) that the norm divides `x` by."""
        return (self.centre(x).square().mean(dim=-1, keepdim=True) + self.eps).sqrt()

    def linear(
        self, x: Float[Tensor, "*batch width"], divisor: Float[Tensor, "*batch 1"]
    ) -> Float[Tensor, "*batch width"]:
        """The norm of one part of a sum, given the divisor of the whole; parts then add up, the shift apart."""
        return self.centre(x) / divisor * self.weight


@dataclass(frozen=True)
class BlockView:
    """What a contribution method may read of a block, for a batch of texts of one length."""

    anatomy: Anatomy
    block: nn.Module
    resid_pre: Float[Tensor, "text position width"]
    weights: Float[Tensor, "text head query key"]
    values: Float[Tensor, "text head key size"]
    attention_out: Float[Tensor, "text position width"]
    """What the attention adds to the residual stream, output bias included."""

    SITES = ("resid_pre", "attn.weights", "attn.values", "attn.out")

    @classmethod
    def of(cls, anatomy: Anatomy, block: nn.Module, trace: Trace, layer: int) -> BlockView:
        """The view of block `layer` from a trace that captured `SITES`."""
        resid_pre, weights, values, out = (trace[f"blocks.{layer}.{site}"] for site in cls.SITES)
        return cls(anatomy, block, resid_pre, weights, values, out)

    @property
    def attention_norm(self) -> Norm:
        """The norm after (post-norm) or before (pre-norm) the attention."""
        return Norm.of(part(self.block, self.anatomy.attention_norm))

    @property
    def output_projection(self) -> Float[Tensor, "head size width"]:
        """W_O cut by heads."""
        module = part(self.block, self.anatomy.projection)
        weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
        heads, size = self.values.shape[1], self.values.shape[3]
        return weight.reshape(heads, size, -1)  # type: ignore[operator]

    @property
    def output_bias(self) -> Float[Tensor, "width"]:
        """b_O; zeros where the projection has none."""
        bias = getattr(part(self.block, self.anatomy.projection), "bias", None)
        return torch.zeros(self.resid_pre.shape[-1]).to(self.resid_pre) if bias is None else bias

    def attended(self) -> Float[Tensor, "text query key width"]:
        """Sum over heads of weight x (value of the source through W_O); value biases belong to their source.

        Its sum over keys, plus the output bias, is `attention_out`. Heads are summed inside one contraction, so that no
        tensor of (head, query, key, width) arises.
        """
        through = torch.einsum("bhks,hsd->bhkd", self.values, self.output_projection)
        return torch.einsum("bhqk,bhkd->bqkd", self.weights, through)
