"""How much nearer a part brings the sublayer to its output (Ferrando et al. 2022, ALTI)."""

from __future__ import annotations

import torch

from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS, Contribution, Method, per_view
from interp.residual.norms import sublayer_parts


def alti(view: BlockView, rows: int) -> Contribution:
    """max(0, ||y_i||_1 - ||y_i - y_ij||_1), y_i the true output of the attention sublayer (Eqs. 7-8).

    In post-norm blocks y_i is the first LayerNorm's output, as in the paper. In pre-norm blocks no norm follows, and
    y_i is the residual stream after the attention, as Ferrando et al. 2023 do for GPT-2.
    """
    whole = view.after_attention
    if view.anatomy.post_norm:
        whole = view.attention_norm(whole)
    distance = [(whole[:, None] - parts).abs_().sum(dim=-1).mT for parts in sublayer_parts(view, rows)]
    return Contribution((whole.abs().sum(dim=-1, keepdim=True) - torch.cat(distance, dim=2)).clamp_min(0))


METHODS.add(
    "alti",
    Method(
        "alti",
        per_view(alti),
        definition="how much nearer the part brings the sublayer to its output, in L1; feed-forward excluded",
        source="Ferrando et al. 2022, Eqs. 7-8",
    ),
)
