"""Which norms there are, and how to load them by name or from a file."""

import os
from collections.abc import Callable
from pathlib import Path

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
    check_name(name)
    return NORMS[name]() if name in NORMS else table.load(Path(name))


def check_name(name: str, folder: Path = Path()) -> None:
    """Refuse what is neither the name of a norm set nor the path of a table (seen from `folder`) that is there.

    Raises
    ------
    InputError
        Saying which of the two it is not.
    """
    if name in NORMS:
        return
    path = folder / name
    if path.suffix.lower() in table.ENDINGS:
        if not os.path.isfile(path):  # and not path.is_file(), which raises for what cannot be a name
            raise InputError(f"{path} is a folder" if os.path.isdir(path) else f"no file of norms at {path}")
        return
    if os.path.exists(path):
        raise InputError(f"norms {name!r}: a file of norms ends in {' or '.join(table.ENDINGS)}")
    raise InputError(unknown("norm set", name, NORMS, "interp norms") + "; or give the path of a .csv or .tsv")


def identify(name: str) -> str:
    """What exactly `load(name)` gives: the checksum of its content."""
    return load(name).checksum
