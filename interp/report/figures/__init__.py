"""The book's figures: each takes tables and draws; none computes."""

from interp.report.figures.attention import attention_maps, head_grid, kept_and_same, lines_by_layer
from interp.report.figures.depth import own_share_by_depth, token_map
from interp.report.figures.ladder import ladder
from interp.report.figures.latent import latent_curves
from interp.report.figures.norms import norms_overview

__all__ = [
    "attention_maps",
    "head_grid",
    "kept_and_same",
    "ladder",
    "latent_curves",
    "lines_by_layer",
    "norms_overview",
    "own_share_by_depth",
    "token_map",
]
