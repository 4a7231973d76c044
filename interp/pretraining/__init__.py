"""Training the book's own small decoders: the same one under every position scheme."""

from interp.pretraining.sizes import SIZES, Size
from interp.pretraining.training import run

__all__ = ["SIZES", "Size", "run"]
