"""The book's figures: each takes tables and draws; none computes."""

from interp.report.figures.depth import own_share_by_depth, token_map
from interp.report.figures.ladder import ladder
from interp.report.figures.latent import latent_curves
from interp.report.figures.norms import norms_overview
from interp.report.figures.probe import probe_dots, probe_selectivity

__all__ = [
    "ladder",
    "latent_curves",
    "norms_overview",
    "own_share_by_depth",
    "probe_dots",
    "probe_selectivity",
    "token_map",
]
