"""Feature norms: what people say a concept is like, as a matrix concepts x features."""

from interp.norms.catalogue import NORMS, identify, load
from interp.norms.description import CURVES, describe, marginals
from interp.norms.normset import NormSet
from interp.norms.overlap import Overlap, overlap

__all__ = ["CURVES", "NORMS", "NormSet", "Overlap", "describe", "identify", "load", "marginals", "overlap"]
