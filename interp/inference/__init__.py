"""Property inference: mappings from embeddings to feature norms, and everything needed to score them fairly."""

from interp.inference.crossvalidation import MAPPINGS, crossvalidate
from interp.inference.ffnn import FFNN
from interp.inference.folds import Split, grouped_folds
from interp.inference.metrics import METRICS
from interp.inference.pls import PLSR
from interp.inference.scores import SCORINGS, Scores

__all__ = [
    "FFNN",
    "MAPPINGS",
    "METRICS",
    "PLSR",
    "SCORINGS",
    "Scores",
    "Split",
    "crossvalidate",
    "grouped_folds",
]
