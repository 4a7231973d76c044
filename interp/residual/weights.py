"""Attention weights with the residual connection: attention rollout (Abnar & Zuidema 2020)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS, Contribution, Method, per_view


def weights(view: BlockView, _rows: int = 0) -> Contribution:
    """Half the residual connection, half the mean attention map: the own share is at least one half by construction."""
    attention = view.weights.mean(dim=1)
    return Contribution((attention + torch.eye(attention.shape[-1]).to(attention)) / 2)


def uniform_own_share(layers: int, length: int, causal: bool) -> Float[Tensor, "layer position"]:
    """Own share after each layer if every block attended evenly and kept half of what it had."""
    even = torch.ones(length, length).tril() if causal else torch.ones(length, length)
    block = (even / even.sum(dim=1, keepdim=True) + torch.eye(length)) / 2
    return torch.stack([torch.linalg.matrix_power(block, depth).diagonal() for depth in range(1, layers + 1)])


METHODS.add(
    "weights",
    Method(
        "weights",
        per_view(weights),
        definition="attention weights, mean over heads, and the identity, half each",
        source="Abnar & Zuidema 2020, section 3",
        caveat="at least one half by construction",
        reference=uniform_own_share,
    ),
)
