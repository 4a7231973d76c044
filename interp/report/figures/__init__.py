"""The book's figures: each takes tables and draws; none computes."""

from interp.report.figures.attention import attention_maps, head_grid, kept_and_same, lines_by_layer
from interp.report.figures.depth import methods_by_depth, own_share_by_depth, token_map
from interp.report.figures.geometry import reach_of_rho, spectra, synthetic_sweep
from interp.report.figures.identity import identity_by_depth, two_depths
from interp.report.figures.ladder import ladder
from interp.report.figures.latent import latent_curves
from interp.report.figures.literature import literature_band
from interp.report.figures.norms import norms_marginals, norms_overview
from interp.report.figures.null import permutation_null
from interp.report.figures.probe import probe_dots, probe_selectivity
from interp.report.figures.protocols import operating_characteristic
from interp.report.figures.training import training_curves
from interp.report.figures.variants import variants

__all__ = [
    "attention_maps",
    "head_grid",
    "identity_by_depth",
    "kept_and_same",
    "ladder",
    "latent_curves",
    "lines_by_layer",
    "literature_band",
    "methods_by_depth",
    "norms_marginals",
    "norms_overview",
    "operating_characteristic",
    "own_share_by_depth",
    "permutation_null",
    "probe_dots",
    "probe_selectivity",
    "reach_of_rho",
    "spectra",
    "synthetic_sweep",
    "token_map",
    "training_curves",
    "two_depths",
    "variants",
]
