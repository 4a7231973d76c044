"""How much a block's output turns when one token's value is set to zero (Mohebbi et al. 2023)."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS, Contribution, Method, per_view


def value_zeroing(view: BlockView, rows: int) -> Contribution:
    """Half the squared distance of the unit outputs of the block, the value of j zero or not (section 3, Eq. 3).

    Queries and keys stay, so the weights do, and what the attention adds loses exactly j's part: the attention need not
    run again, only what follows it. The value's bias goes with it. 1 - cosine is the same number, and cancels in
    float32.

    Mohebbi et al. study post-norm encoders; nothing in the definition depends on that. Of a parallel feed-forward part
    (GPT-NeoX) the input does not change.
    """
    through, stream = view.through(view.output_projection), view.after_attention
    whole = normalize(view.finish(stream), dim=-1)
    amount = []
    for keys in view.key_slices(rows):
        without = view.finish(stream[:, None] - view.attended(through, keys))
        turned = normalize(without, dim=-1) - whole[:, None]
        # A token without weight (a later one, padding) adds nothing; what is left is the rounding of another product.
        unseen = (view.weights[..., keys] == 0).all(dim=1)
        amount.append((turned.square().sum(dim=-1).mT / 2).masked_fill(unseen, 0.0))
    return Contribution(torch.cat(amount, dim=2))


METHODS.add(
    "value-zeroing",
    Method(
        "value-zeroing",
        per_view(value_zeroing),
        definition="half the squared distance between the block's unit outputs with and without the token's value",
        source="Mohebbi et al. 2023, section 3",
        costly=True,
        caveat="the residual connection is never removed, so the diagonal is no own share",
    ),
)
