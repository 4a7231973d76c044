"""How structured one attention map is: measures of a map by itself, per text and head (PROTOCOL 7).

Rows are the queries that are no special tokens; what [CLS] and [SEP] look at is not about the text. In a causal map the
first row is 1 whatever the model, so it is left out, and each row is held against the keys it may look at.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from interp.attention.layout import Layout, inner_map, relative

MEASURES = {
    "entropy": "entropy of a row over the log of its length: 0 one key, 1 all keys alike",
    "entropy, inner": "the same without special tokens",
    "special": "attention that goes to special tokens",
    "punctuation": "attention that goes to punctuation",
    "first": "attention that goes to the first place of the text (a decoder's resting place)",
    "previous": "attention that goes to the place before",
    "own": "attention that goes to the own place",
    "next": "attention that goes to the place after",
    "gini": "Gini coefficient of the attention received by the places: 0 all alike, near 1 one receives all",
    "gini, inner": "the same without special tokens",
    "moran": "spatial structure: Moran's I minus its expectation when tokens are jointly permuted (inner map)",
}
"""What is measured. NaN where it has no meaning: no special tokens, no punctuation, no future in a causal map."""

Maps = Float[Tensor, "text head query key"]
PerHead = Float[Tensor, "text head"]


def structure(maps: Maps, layout: Layout) -> dict[str, PerHead]:
    """Every measure of `MEASURES` for each text and head, in float64."""
    maps = maps.double()
    inside, inner = inner_map(maps, layout), layout.inner()
    rows = _rows(layout)
    return {
        "entropy": entropy(maps, layout),
        "entropy, inner": entropy(inside, inner),
        "special": _mass(maps, layout.special.expand(len(maps), -1), rows),
        "punctuation": _mass(maps, layout.punctuation, rows),
        "first": maps[:, :, rows, int((~layout.special).nonzero()[0, 0])].mean(dim=-1),
        "previous": _offset(maps, layout, -1),
        "own": _offset(maps, layout, 0),
        "next": _offset(maps, layout, 1),
        "gini": gini_received(maps, layout),
        "gini, inner": gini_received(inside, inner),
        "moran": moran_excess(inside, inner),
    }


def _rows(layout: Layout) -> Tensor:
    """Indices of the queries that count."""
    rows = (~layout.special).nonzero()[:, 0]
    return rows[rows > 0] if layout.causal else rows


def entropy(maps: Maps, layout: Layout) -> PerHead:
    """Mean entropy of the rows, each divided by the log of the number of keys it may look at (causal: i + 1)."""
    rows = _rows(layout)
    length = layout.admissible.sum(dim=-1)[rows].double()
    mine = maps.double()[:, :, rows]
    return (torch.special.entr(mine).sum(dim=-1) / length.log()).mean(dim=-1)


def _mass(maps: Maps, keys: Tensor, rows: Tensor) -> PerHead:
    """Mean over rows of the attention that goes to `keys` (text x position); NaN for a text that has none."""
    found = (maps[:, :, rows] * keys[:, None, None, :]).sum(dim=-1).mean(dim=-1)
    return found.masked_fill(~keys.any(dim=-1)[:, None], float("nan"))


def _offset(maps: Maps, layout: Layout, offset: int) -> PerHead:
    """Mean attention at key - query = offset, over the queries that have such a key."""
    rows = _rows(layout)
    rows = rows[(rows + offset >= 0) & (rows + offset < maps.shape[-1])]
    if not len(rows) or (layout.causal and offset > 0):
        return torch.full(maps.shape[:2], float("nan"), dtype=maps.dtype, device=maps.device)
    return maps[:, :, rows, rows + offset].mean(dim=-1)


def gini_received(maps: Maps, layout: Layout) -> PerHead:
    """Gini coefficient of the attention that places receive, each per query that may look at it."""
    rows = _rows(layout)
    chances = layout.admissible[rows].sum(dim=0).double()
    received = (maps.double()[:, :, rows].sum(dim=2) / chances.clamp_min(1))[:, :, chances > 0]
    ranked = received.sort(dim=-1).values
    count = ranked.shape[-1]
    weight = 2 * torch.arange(1, count + 1, device=maps.device).double() - count - 1
    return (ranked * weight).sum(dim=-1) / (count * ranked.sum(dim=-1))


def moran_excess(maps: Maps, layout: Layout) -> PerHead:
    """Moran's I of a map over rook neighbours, minus its expectation under joint permutations of the tokens.

    0: neighbouring cells are as alike as they would be, had the same tokens stood in any other order. Raw I is large
    for any map whose columns differ (stripes), trained or not; stripes survive a joint permutation and cancel here.

    The expectation is exact, not sampled: neighbours in a row share their query, so that over all permutations their
    product is the mean over distinct tokens a, b, c of z_ab z_ac, or, next to the diagonal, of z_aa z_ab; in a
    column likewise. Causal maps are taken relative to even attention, over admissible cells, and a permutation carries
    each cell along as an unordered pair of tokens, so that the triangle stays one. A map without variance has excess 0.
    """
    cells = layout.admissible
    values = relative(maps.double(), layout)
    z = (values - values[:, :, cells].mean(dim=-1)[:, :, None, None]) * cells
    variance = z.square().sum(dim=(2, 3)) / cells.sum()
    beside = (z[:, :, :, :-1] * z[:, :, :, 1:]).sum(dim=(2, 3))
    below = (z[:, :, :-1] * z[:, :, 1:]).sum(dim=(2, 3))
    size = z.shape[-1]
    if size < 3:
        return torch.zeros_like(variance)
    if layout.causal:
        full = z + z.tril(-1).mT
        expected = _expected_products(full, pairs=size * (size - 1) // 2, near=size - 1) * 2
        pairs = size * (size - 1)
    else:
        count, near = size * (size - 1), 2 * (size - 1)
        expected = _expected_products(z, count, near) + _expected_products(z.mT, count, near)
        pairs = 2 * count
    flat = variance <= 1e-20
    excess = (beside + below - expected) / pairs / variance.masked_fill(flat, 1.0)
    return excess.masked_fill(flat, 0.0)


def _expected_products(z: Maps, pairs: int, near: int) -> PerHead:
    """Expected sum of products of `pairs` cells side by side, `near` of them with one on the diagonal."""
    size = z.shape[-1]
    own = torch.diagonal(z, dim1=2, dim2=3)
    others = z.sum(dim=-1) - own
    squares = z.square().sum(dim=-1) - own.square()
    apart = (others.square() - squares).sum(dim=-1) / (size * (size - 1) * (size - 2))
    beside = (own * others).sum(dim=-1) / (size * (size - 1))
    return (pairs - near) * apart + near * beside
