"""How large the decoders are, and how long they are trained: the same for every position scheme."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Architecture and training of one size."""

    blocks: int
    heads: int
    width: int
    inner: int
    """Width inside the gated feed-forward part."""
    vocabulary: int
    window: int
    """Tokens of a training text, the one that begins it included."""
    batch: int
    """Texts in one step."""
    steps: int
    rate: float
    """Largest learning rate, after the warm-up."""
    every: int
    """Steps between two measurements of the held-out loss, each with a checkpoint."""
    held_out: int
    """Held-out windows."""
    note: str


SIZES: dict[str, Size] = {
    "tiny": Size(2, 2, 32, 64, 400, 32, 8, 40, 4e-3, 10, 16, "for tests: seconds"),
    "small": Size(4, 4, 128, 352, 4096, 128, 16, 1400, 3e-3, 100, 128, "the book's: minutes a scheme on one CPU core"),
    "large": Size(8, 8, 512, 1408, 16384, 256, 64, 20_000, 1e-3, 500, 512, "for a GPU"),
}
"""Sizes by name."""
