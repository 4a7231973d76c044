"""Feature norms: what people say a concept is like, as a matrix concepts x features."""

from interp.norms.catalogue import NORMS, load
from interp.norms.description import describe
from interp.norms.normset import NormSet

__all__ = ["NORMS", "NormSet", "describe", "load"]
