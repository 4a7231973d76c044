"""Files: their checksums, and writing that leaves either what was there before or all of what is new.

Whatever is being written has a temporary name (`PARTIAL`...) in the folder it is for, and gets its own in one rename. A
process that is killed can leave such a name behind; nothing reads it, and a later write in that folder removes it once
it is a day old.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from interp.errors import InputError

PARTIAL = ".partial-"
"""How a temporary name begins."""
FORMER = ".former-"
"""How the name of a folder begins while another takes its place."""
LEFT_OVER = 24 * 3600
"""Seconds after which a temporary name that nothing was written under belongs to a process that was killed."""


class Unlocked(UserWarning):
    """The file system has no locks."""


_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {*_FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


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
    partial = partial_name(path)
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    except OSError as error:
        if error.errno and error.filename in (None, str(partial)):
            error.filename = str(path)  # a full disk does not say of which file; a temporary name says nothing
        raise
    finally:
        remove(partial)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write several files, each whole: all of them get their names, in this order, once all are on the disk.

    Raises
    ------
    OSError
        As the file system gives it; where the disk is full, every file is as it was.
    """
    with ExitStack() as stack:
        for path, text in reversed(list(texts.items())):  # the stack unwinds from its end
            stack.enter_context(replacing(path)).write_text(text, encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write one file, whole or not at all."""
    write_texts({path: text})


def partial_name(path: Path) -> Path:
    """A temporary name for `path`, of no other process and no other thread; left-over ones are removed."""
    sweep(path.parent)
    return path.with_name(f"{PARTIAL}{path.name}-{uuid.uuid4().hex[:8]}")


def sweep(folder: Path) -> None:
    """Remove the temporary names in `folder` that a killed process left behind."""
    for path in folder.glob(f"{PARTIAL}*"):
        try:
            newest = max(p.lstat().st_mtime for p in (path, *path.rglob("*")))
        except FileNotFoundError:
            continue  # its process has just finished with it
        if time.time() - newest > LEFT_OVER:
            remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def sync(path: Path) -> None:
    """Have the bytes of a file, or of the files in a folder, on the disk: before a rename makes them whole."""
    for file in path.iterdir() if path.is_dir() else (path,):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


def replace_folder(new: Path, path: Path) -> None:
    """Give the folder `new` the name `path`, in place of the folder that has it.

    No portable call exchanges two folders. A process that is killed between the two renames leaves the old one beside
    its name, where `standing` finds it.
    """
    former = _former(path)
    if path.is_dir():
        remove(former)
        path.rename(former)
    new.rename(path)
    remove(former)


def standing(path: Path) -> Path:
    """Where the folder `path` is: there, or beside it if a process was killed while it put another in its place."""
    former = _former(path)
    return former if not path.is_dir() and former.is_dir() else path


def _former(path: Path) -> Path:
    return path.with_name(f"{FORMER}{path.name}")


@contextmanager
def alone(lock: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold `lock`, which one process at a time can; the system takes it back however the process ends.

    Parameters
    ----------
    what
        What is done meanwhile, for the line that another process gets.
    wait
        Wait for the other one instead of giving up.

    Raises
    ------
    InputError
        Where another process holds it.
    OSError
        Where the file cannot be written.
    """
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip()
            raise InputError(
                f"{what} is running here already (process {holder or 'unknown'}): wait for it, or stop it"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            note = f"the file system of {lock.parent} has no locks: see that {what} runs here once at a time"
            warnings.warn(note, Unlocked, stacklevel=3)
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        yield


def refusal(error: OSError, path: Path | None = None) -> str | None:
    """What a file system refuses to write, in a line with what to do; None where `error` is of another kind.

    Parameters
    ----------
    path
        What was being written, where the error does not say it.
    """
    if error.errno not in _REFUSED:
        return None
    where = path or error.filename or "a file"
    todo = "make room" if error.errno in _FULL else "choose a folder that can be written"
    return f"cannot write {where}: {os.strerror(error.errno)}; {todo} and run it again: what was finished is kept"
