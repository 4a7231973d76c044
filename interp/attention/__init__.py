"""Attention maps: how structured they are, what perturbing the text does to them, what they follow."""

from interp.attention.comparison import SIMILARITIES
from interp.attention.crossed import EFFECTS, Item, crossed_table, shares, usable
from interp.attention.follows import Swap, follows_table, index, index_by_layer, swappable
from interp.attention.layout import Layout, inner_map
from interp.attention.measuring import head_values, map_tables, pooled
from interp.attention.perturbations import PERTURBATIONS, Given, attend
from interp.attention.positional import one_length, positional_table, share, share_by_layer
from interp.attention.sentences import eligible
from interp.attention.structure import MEASURES, structure

__all__ = [
    "EFFECTS",
    "MEASURES",
    "PERTURBATIONS",
    "SIMILARITIES",
    "Given",
    "Item",
    "Layout",
    "Swap",
    "attend",
    "crossed_table",
    "eligible",
    "follows_table",
    "head_values",
    "index",
    "index_by_layer",
    "inner_map",
    "map_tables",
    "one_length",
    "pooled",
    "positional_table",
    "share",
    "share_by_layer",
    "shares",
    "structure",
    "swappable",
    "usable",
]
