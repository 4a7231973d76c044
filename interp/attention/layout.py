"""What the places of a batch of maps are, and the maps without the special ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.attention.vocabulary import punctuation
from interp.subjects.subject import Batch, Subject


@dataclass(frozen=True)
class Layout:
    """Places of a batch of texts of one length, none of them padding."""

    special: Bool[Tensor, "position"]
    """The same in every text of one length: a tokenizer adds its special tokens in fixed places."""
    punctuation: Bool[Tensor, "text position"]
    causal: bool

    @classmethod
    def of(cls, subject: Subject, batch: Batch) -> Layout:
        """The layout of a batch without padding."""
        if not batch.mask.all() or not (batch.special == batch.special[:1]).all():
            raise ValueError("a layout needs texts of one length, without padding")
        return cls(batch.special[0], punctuation(subject, batch), subject.causal)

    @property
    def admissible(self) -> Bool[Tensor, "query key"]:
        """Which keys a query may look at."""
        size = len(self.special)
        every = torch.ones(size, size, dtype=torch.bool, device=self.special.device)
        return every.tril() if self.causal else every

    def inner(self) -> Layout:
        """The layout without special tokens."""
        kept = ~self.special
        return Layout(self.special[kept], self.punctuation[:, kept], self.causal)


def inner_map(maps: Float[Tensor, "text head query key"], layout: Layout) -> Float[Tensor, "text head query key"]:
    """Maps without special tokens, rows renormalised to one, in float64."""
    kept = (~layout.special).nonzero()[:, 0]
    inside = maps.double()[:, :, kept][:, :, :, kept]
    return inside / inside.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)


def relative(maps: Float[Tensor, "text head query key"], layout: Layout) -> Float[Tensor, "text head query key"]:
    """Attention in multiples of what even attention would give, where a mask makes rows unequally long.

    In a causal map even attention is 1 / (i + 1) in row i: the triangle alone would look like structure.
    """
    if not layout.causal:
        return maps
    return maps * torch.arange(1, maps.shape[-1] + 1, device=maps.device, dtype=maps.dtype)[:, None]
