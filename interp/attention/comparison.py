"""Whether two attention maps are the same map, per text and head (PROTOCOL 7).

Similarities are 1 for identical maps. Their zero means nothing by itself (any two sentences have [SEP] at the end), so
they are calibrated: 0 is the similarity to the map of an unrelated sentence of the same length.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp.attention.layout import Layout, inner_map

SIMILARITIES = {
    "pearson": "Pearson correlation of the entries",
    "js": "1 minus the Jensen-Shannon divergence of the rows, in bits, mean over rows",
}
"""How two maps are compared, by name: what is 1 for equal maps."""
WHICH = ("full", "inner")

Maps = Float[Tensor, "text head query key"]
Cells = Bool[Tensor, "text query key"]


def carried(maps: Maps, order: Int[Tensor, "text position"]) -> Maps:
    """P A P': the intact maps with every place replaced by the one that what stands there now came from."""
    rows = maps.gather(2, order[:, None, :, None].expand_as(maps))
    return rows.gather(3, order[:, None, None, :].expand_as(maps))


def comparable(layout: Layout, order: Int[Tensor, "text position"] | None = None) -> Cells:
    """Cells that both maps may hold: for causal maps those admissible here and, carried along, there; no first row."""
    cells = layout.admissible.clone()
    if layout.causal:
        cells[0] = False
    if order is None:
        return cells[None]
    there = cells[order[:, :, None], order[:, None, :]]
    return cells & there


def similarities(
    a: Maps, b: Maps, layout: Layout, order: Int[Tensor, "text position"] | None = None
) -> dict[str, Tensor]:
    """Every similarity of `a` to `b`, on full and inner maps, by names like ``pearson, inner``.

    Parameters
    ----------
    order
        Carry `b` along with it before comparing; special tokens must stay in their places.
    """
    kept = (~layout.special).nonzero()[:, 0]
    found = {}
    for which in WHICH:
        if which == "full":
            x, y, mine, moved = a.double(), b.double(), layout, order
        else:
            x, y, mine = inner_map(a, layout), inner_map(b, layout), layout.inner()
            moved = None if order is None else _among(order, kept)
        cells = comparable(mine, moved)
        y = y if moved is None else carried(y, moved)
        found[f"pearson, {which}"] = pearson(x, y, cells)
        found[f"js, {which}"] = 1 - jensen_shannon(x, y, cells)
    return found


def _among(order: Int[Tensor, "text position"], kept: Int[Tensor, "inner"]) -> Int[Tensor, "text inner"]:
    """An order of all places as an order of the inner ones."""
    rank = torch.full((order.shape[1],), -1, dtype=torch.long, device=order.device)
    rank[kept] = torch.arange(len(kept), device=order.device)
    return rank[order[:, kept]]


def pearson(a: Maps, b: Maps, cells: Cells) -> Float[Tensor, "text head"]:
    """Correlation over `cells`; NaN where a map is constant there."""
    inside = cells[:, None].double().expand_as(a)
    count = inside.sum(dim=(2, 3))
    x, y = ((m - ((m * inside).sum(dim=(2, 3)) / count)[:, :, None, None]) * inside for m in (a.double(), b.double()))
    spread = (x.square().sum(dim=(2, 3)) * y.square().sum(dim=(2, 3))).sqrt()
    return ((x * y).sum(dim=(2, 3)) / spread.masked_fill(spread <= 1e-18, float("nan"))).clamp(-1, 1)


def jensen_shannon(a: Maps, b: Maps, cells: Cells) -> Float[Tensor, "text head"]:
    """Mean over rows of the Jensen-Shannon divergence in bits, rows renormalised over `cells`, if of two or more."""
    inside = cells[:, None].double().expand_as(a)
    tiny = torch.finfo(torch.float64).tiny
    x, y = (m.double() * inside for m in (a, b))
    x, y = x / x.sum(-1, keepdim=True).clamp_min(tiny), y / y.sum(-1, keepdim=True).clamp_min(tiny)
    middle = (x + y) / 2
    gain = torch.special.entr(middle).sum(-1) - (torch.special.entr(x).sum(-1) + torch.special.entr(y).sum(-1)) / 2
    rows = (cells.sum(dim=-1) > 1)[:, None].expand_as(gain)
    mean = (gain * rows).sum(dim=-1) / rows.sum(dim=-1).clamp_min(1) / math.log(2)
    return mean.clamp(0, 1).masked_fill(~rows.any(dim=-1), float("nan"))


def calibrated(similarity: Any, unrelated: Any) -> Any:
    """A similarity between that to an unrelated sentence of equal length (0) and identity (1)."""
    return (similarity - unrelated) / (1 - unrelated)
