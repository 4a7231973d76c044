"""The book's figures: each takes tables and draws; none computes."""

from interp.report.figures.depth import methods_by_depth, own_share_by_depth, token_map
from interp.report.figures.identity import identity_by_depth, two_depths
from interp.report.figures.ladder import ladder
from interp.report.figures.latent import latent_curves
from interp.report.figures.norms import norms_overview

__all__ = [
    "identity_by_depth",
    "ladder",
    "latent_curves",
    "methods_by_depth",
    "norms_overview",
    "own_share_by_depth",
    "token_map",
    "two_depths",
]
