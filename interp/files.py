"""Files: their checksums, and writing that leaves either what was there before or all of what is new."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """`sha256`, computed once as long as the file's size and time stay the same: for weights, which are long."""
    path = path.resolve()
    state = path.stat()
    return _sha256_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, size: int, changed: int) -> str:  # noqa: ARG001  (the file's state is the cache's key)
    return sha256(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, in its folder, to write to; becomes `path` in one rename at the end.

    Where writing fails or is interrupted, `path` is as it was. Two processes that write the same file do not meet.

    Raises
    ------
    OSError
        As the file system gives it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())  # have the bytes on disk before they get the name
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
