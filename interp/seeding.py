"""Random numbers that depend on a seed and a name, and on nothing else: not on order, not on what else was drawn."""

import zlib

import numpy as np

from interp.errors import InputError


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each (seed, names).

    Raises
    ------
    InputError
        For a negative seed.
    """
    if seed < 0:
        raise InputError(f"seed {seed}: a whole number from 0 on")
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])
