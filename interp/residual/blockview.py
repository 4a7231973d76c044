"""One block during one forward pass, taken apart in the same terms for every family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from interp.subjects.anatomy import Anatomy, part
from interp.subjects.capture import Trace


def wide(x: Tensor) -> Tensor:
    """At least float32: parts of a sum cancel, and half precision would leave little of what remains."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


@dataclass(frozen=True)
class Affine:
    """A matrix with its bias."""

    weight: Float[Tensor, "inner outer"]
    bias: Float[Tensor, "outer"] | None

    @classmethod
    def of(cls, module: nn.Module) -> Affine:
        """Read a Linear of torch, quantised or not, or a Conv1D of transformers."""
        weight, bias = module.weight, getattr(module, "bias", None)
        if callable(weight):  # quantised: both have to be asked for
            weight, bias = weight().dequantize(), bias()
        weight = weight if type(module).__name__ == "Conv1D" else weight.T
        return cls(wide(weight), None if bias is None else wide(bias))  # type: ignore[arg-type]

    def __call__(self, x: Float[Tensor, "*batch inner"], *, bias: bool = True) -> Float[Tensor, "*batch outer"]:
        """The product, with the bias where there is one and it is wanted."""
        return x @ self.weight if self.bias is None or not bias else x @ self.weight + self.bias


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
        return cls(
            wide(module.weight),  # type: ignore[arg-type]
            None if bias is None else wide(bias),
            float(eps),
            isinstance(module, nn.LayerNorm),
        )

    def __call__(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """The norm itself."""
        normed = self.linear(x, self.divisor(x))
        return normed if self.bias is None else normed + self.bias

    def centre(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Subtract the mean over the width, where this norm does so."""
        return x - x.mean(dim=-1, keepdim=True) if self.centred else x

    def divisor(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch 1"]:
        """The true standard deviation (root mean square for RMSNorm) that the norm divides `x` by."""
        return (self.centre(x).square().mean(dim=-1, keepdim=True) + self.eps).sqrt()

    def folded(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """Everything the norm does to one part of a sum but the division: it can be folded into a matrix."""
        return self.centre(x) * self.weight

    def linear(
        self, x: Float[Tensor, "*batch width"], divisor: Float[Tensor, "*batch 1"]
    ) -> Float[Tensor, "*batch width"]:
        """The norm of one part of a sum, given the divisor of the whole; parts then add up, the shift apart."""
        return self.folded(x) / divisor

    def after(self, matrix: Affine) -> Affine:
        """The matrix with this norm after it, the division and the shift apart."""
        return Affine(self.folded(matrix.weight), None if matrix.bias is None else self.folded(matrix.bias))

    def before(self, matrix: Affine) -> Affine:
        """The matrix with this norm before it, the division apart; the shift goes into the bias."""
        weight = matrix.weight * self.weight[:, None]
        if self.centred:
            weight = weight - weight.mean(dim=0)
        if self.bias is None:
            return Affine(weight, matrix.bias)
        shift = self.bias @ matrix.weight
        return Affine(weight, shift if matrix.bias is None else shift + matrix.bias)


@dataclass(frozen=True)
class FeedForward:
    """The feed-forward part of a block."""

    up: Affine
    gate: Affine | None
    down: Affine
    activation: nn.Module

    def inner(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch inner"]:
        """What enters the second matrix."""
        raised = self.up(x)
        return self.activation(raised) if self.gate is None else self.activation(self.gate(x)) * raised

    def __call__(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """The feed-forward part itself."""
        return self.down(self.inner(x))

    def gain(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch inner"]:
        """What each inner unit is multiplied by at input `x`: f(z) / z of its activation, or its gate.

        Held fixed, it makes the part linear, and exact at `x` itself: f(0) = 0 for every activation in use.
        """
        if self.gate is not None:
            return self.activation(self.gate(x))
        raised = self.up(x)
        return torch.where(raised == 0, torch.zeros_like(raised), self.activation(raised) / raised)


@dataclass(frozen=True)
class BlockView:
    """What a contribution method may read of a block, for a batch of texts of one length.

    Tensors of parts are (text, key, query, width): the source first, so that sources can be taken a few at a time.
    """

    anatomy: Anatomy
    block: nn.Module
    resid_pre: Float[Tensor, "text position width"]
    weights: Float[Tensor, "text head query key"]
    values: Float[Tensor, "text head key size"]
    attention_out: Float[Tensor, "text position width"]
    """What the attention adds to the residual stream, output bias included."""
    feedforward_out: Float[Tensor, "text position width"]
    resid_post: Float[Tensor, "text position width"]
    """The block's output, before any final norm."""

    SITES = ("resid_pre", "attn.weights", "attn.values", "attn.out", "mlp.out", "resid_post")

    @classmethod
    def of(cls, anatomy: Anatomy, block: nn.Module, trace: Trace, layer: int) -> BlockView:
        """The view of block `layer` from a trace that captured `SITES`."""
        return cls(anatomy, block, *(wide(trace[f"blocks.{layer}.{site}"]) for site in cls.SITES))

    @property
    def parallel(self) -> bool:
        """Whether the feed-forward part reads the block's input instead of what the attention left (GPT-NeoX)."""
        return self.anatomy.parallel is not None and bool(getattr(self.block, self.anatomy.parallel))

    @cached_property
    def attention_norm(self) -> Norm:
        """The norm after (post-norm) or before (pre-norm) the attention."""
        return Norm.of(part(self.block, self.anatomy.attention_norm))

    @cached_property
    def feedforward_norm(self) -> Norm:
        """The norm after (post-norm) or before (pre-norm) the feed-forward part."""
        return Norm.of(part(self.block, self.anatomy.feedforward_norm))

    @cached_property
    def feedforward(self) -> FeedForward:
        """The feed-forward part."""
        a = self.anatomy
        gate = None if a.gate is None else Affine.of(part(self.block, a.gate))
        up, down = (Affine.of(part(self.block, path)) for path in (a.up, a.down))
        return FeedForward(up, gate, down, part(self.block, a.activation))

    @cached_property
    def output_projection(self) -> Float[Tensor, "head size width"]:
        """W_O cut by heads."""
        heads, size = self.values.shape[1], self.values.shape[3]
        return Affine.of(part(self.block, self.anatomy.projection)).weight.reshape(heads, size, -1)

    @property
    def output_bias(self) -> Float[Tensor, "width"]:
        """b_O; zeros where the projection has none."""
        bias = Affine.of(part(self.block, self.anatomy.projection)).bias
        return torch.zeros_like(self.resid_pre[0, 0]) if bias is None else bias

    @cached_property
    def value_projection(self) -> Affine:
        """W_V with its bias, heads side by side; grouped heads repeated, one per query head."""
        whole = Affine.of(part(self.block, self.anatomy.values))
        heads, size = self.values.shape[1], self.values.shape[3]

        def values_of(x: Tensor) -> Tensor:
            if self.anatomy.fused_values == "thirds":
                x = x[..., -heads * size :]
            elif self.anatomy.fused_values == "heads":
                x = x.unflatten(-1, (heads, 3 * size))[..., -size:].flatten(-2)
            groups = heads * size // x.shape[-1]
            return x.unflatten(-1, (-1, size)).repeat_interleave(groups, dim=-2).flatten(-2)

        return Affine(values_of(whole.weight), None if whole.bias is None else values_of(whole.bias))

    @property
    def after_attention(self) -> Float[Tensor, "text position width"]:
        """The residual stream with what the attention added; in post-norm blocks before the norm that follows."""
        return self.resid_pre + self.attention_out

    def finish(self, stream: Float[Tensor, "text *more position width"]) -> Float[Tensor, "text *more position width"]:
        """The block's output, given another residual stream after the attention."""
        if self.anatomy.post_norm:
            stream = self.attention_norm(stream)
            return self.feedforward_norm(stream + self.feedforward(stream))
        if self.parallel:
            return stream + (self.feedforward_out if stream.ndim == 3 else self.feedforward_out[:, None])
        return stream + self.feedforward(self.feedforward_norm(stream))

    def through(self, projection: Float[Tensor, "head size width"]) -> Float[Tensor, "text key head width"]:
        """Each head's value of each token through (a folded) W_O."""
        return torch.einsum("bhks,hsd->bkhd", self.values, projection)

    def attended(
        self, through: Float[Tensor, "text key head width"], keys: slice = slice(None)
    ) -> Float[Tensor, "text key query width"]:
        """Sum over heads of weight x `through`; value biases belong to their source.

        With W_O itself, the sum over all keys, plus the output bias, is `attention_out`. Heads are summed inside one
        product, so that no tensor of (head, query, key, width) arises.
        """
        return self.weights.permute(0, 3, 2, 1)[:, keys] @ through[:, keys]

    def own(self, through: Float[Tensor, "text key head width"]) -> Float[Tensor, "text query width"]:
        """What each position receives from itself through the attention."""
        mine = torch.diagonal(self.weights, dim1=2, dim2=3)
        return torch.einsum("bhq,bqhd->bqd", mine, through)

    def key_slices(self, rows: int) -> Iterator[slice]:
        """The keys in runs, such that texts x keys x queries is about `rows` at a time."""
        texts, length, _ = self.resid_pre.shape
        step = max(1, rows // (texts * length))
        for start in range(0, length, step):
            yield slice(start, min(start + step, length))
