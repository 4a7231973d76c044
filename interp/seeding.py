"""Random numbers that depend on a seed and a name, and on nothing else: not on order, not on what else was drawn."""

import zlib

import numpy as np


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each (seed, names)."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])
