"""Which norms there are, and how to load them by name or from a file."""

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from interp.datasets import cache_folder
from interp.errors import InputError
from interp.norms import binder, buchanan, everyday, mcrae, table
from interp.norms.normset import NormSet
from interp.registry import Registry, unknown

NORMS: Registry[Callable[[], NormSet]] = Registry("norm set", "interp norms")
"""Norm sets with a name, by the function that loads them."""
NORMS.add("everyday", everyday.load)
NORMS.add("mcrae", mcrae.load)
NORMS.add("buchanan", buchanan.load)
NORMS.add("binder", binder.load)


def load(name: str) -> NormSet:
    """Norms by name, or from a CSV/TSV of one's own (columns concept, feature, value).

    Raises
    ------
    InputError
        If there is no such name or file, a file's checksum is wrong, or a table is malformed.
    """
    if name in NORMS:
        return _named(name, os.environ.get("INTERP_DATA", ""), str(cache_folder()))
    path = Path(name)
    if path.suffix.lower() in table.ENDINGS:
        return table.load(path)
    if path.exists():
        raise InputError(f"norms {name!r}: a file of norms ends in {' or '.join(table.ENDINGS)}")
    raise InputError(unknown("norm set", name, NORMS, "interp norms") + "; or give the path of a .csv or .tsv")


@lru_cache(maxsize=8)
def _named(name: str, data: str, cache: str) -> NormSet:  # noqa: ARG001  (files elsewhere are looked for again)
    """A named set, read once a process: its files have known checksums, and reading them takes longer than a score."""
    return NORMS[name]()


def identify(name: str) -> str:
    """What exactly `load(name)` gives: the checksum of its content."""
    return load(name).checksum
