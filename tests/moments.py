"""Kill a process, with kill -9, before every single change it makes to files: `python -m tests.moments WHAT FOLDER`.

What is done is done in a forked process, again and again, which is killed before its first, second, third ... event of
Python's own audit trail (opening to write, renaming, removing, making) until it comes to its end; after each kill, what
is there must be whole.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from interp import archive, files, reference, store
from tests import scratch

EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}
WRITING = os.O_WRONLY | os.O_RDWR


def kill_before(event: int) -> None:
    """Have this process killed when it comes to its event of this number."""
    seen = 0

    def count(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if name in EVENTS or (name == "open" and arguments[2] & WRITING):
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def in_a_fork(do: Callable[[], object], event: int | None = None) -> bool:
    """Whether `do` came to its end, and not to a kill."""
    child = os.fork()
    if child == 0:
        if event is not None:
            kill_before(event)
        try:
            do()
        except BaseException as error:  # it must not reach what the parent would do with it
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def at_every_moment(do: Callable[[], object], check: Callable[[bool], object]) -> int:
    """How many moments there are; `check`, told whether `do` came to its end, must hold after each."""
    event, ended = 0, False
    while not ended:
        event += 1
        ended = in_a_fork(do, event)
        assert in_a_fork(lambda: check(ended)), event  # noqa: B023  (called at once)
    return event - 1


def table(value: int) -> pd.DataFrame:
    """A table whose every cell says which one it is."""
    return pd.DataFrame({"value": [value] * 1000})


def store_entry(folder: Path) -> int:
    """An entry of the store is whole or not there, and the next run has it."""
    os.environ["INTERP_RESULTS"] = str(folder)

    @store.study("kept", identities={})
    def kept(*, a: int) -> store.Tables:
        return {"one": table(a), "two": table(a + 1)}

    def check(ended: bool) -> None:
        warnings.simplefilter("error")  # nothing damaged, nothing unkept
        found = [store.read_entry(p) for p in (folder / "kept").glob("[!.]*")]
        assert len(found) == ended or not ended
        for tables, _ in found:
            assert (tables["one"]["value"] == 7).all()
        assert (kept(a=7)["two"]["value"] == 8).all()
        assert store.used[-1].replayed == bool(found)
        for path in (folder / "kept").glob("[!.]*"):
            files.remove(path)

    return at_every_moment(lambda: kept(a=7), check)


def reference_result(folder: Path) -> int:
    """A reference result is the old one or the new one, whole, at every moment of its replacement."""
    os.environ["INTERP_REFERENCE"] = str(folder)

    def write(value: int) -> None:
        reference.write("toy", "one", {"summary": table(value)}, command=f"make {value}")

    def check(ended: bool) -> None:
        assert reference.entries("toy") == ["one"]
        values = set(reference.load("toy")["value"])
        assert values in ({1}, {2}), values
        assert values == {2} or not ended
        assert reference.meta("toy", "one")["command"] == f"make {min(values)}"
        write(1)
        assert set(reference.load("toy")["value"]) == {1}
        assert not list((folder / "toy").glob(f"{files.FORMER}*"))

    assert in_a_fork(lambda: write(1))
    return at_every_moment(lambda: write(2), check)


def texts(folder: Path) -> int:
    """Each of several files is the old one or the new one, and the later ones are not new before the earlier ones."""
    paths = [folder / name for name in "abc"]

    def write(letter: str) -> None:
        files.write_texts(dict.fromkeys(paths, letter * 100000))

    def check(ended: bool) -> None:
        found = [path.read_text() for path in paths]
        assert all(text in ("x" * 100_000, "y" * 100_000) for text in found)
        letters = "".join(text[0] for text in found)
        assert letters in ("xxx", "yxx", "yyx", "yyy")
        assert letters == "yyy" or not ended
        write("x")

    write("x")
    return at_every_moment(lambda: write("y"), check)


def unpacking(folder: Path) -> int:
    """Of an archive that is being unpacked, every entry is whole or not there, and unpacking again completes it."""

    @store.study("kept", identities={})
    def kept(*, a: int) -> store.Tables:
        return {"one": table(a)}

    def pack() -> None:
        os.environ["INTERP_RESULTS"] = str(folder / "there")
        kept(a=1)
        kept(a=2)
        archive.pack(folder / "a.zip")

    def check(ended: bool) -> None:
        names = [f"kept/{p.name}" for p in (folder / "here" / "kept").glob("[!.]*")]
        for name in names:
            store.read_entry(folder / "here" / name)
        done = archive.unpack(folder / "a.zip")
        assert set(done.there) == set(names)
        assert len(done.there + done.added) == 2
        assert len(done.there) == 2 or not ended
        files.remove(folder / "here")

    assert in_a_fork(pack)
    os.environ["INTERP_RESULTS"] = str(folder / "here")
    return at_every_moment(lambda: archive.unpack(folder / "a.zip"), check)


def published(folder: Path) -> int:
    """A trained decoder is there whole once its record is; until then its checkpoint stays."""
    from interp.pretraining import SIZES, prose, training

    sentences = ["the cat sees the man .", "the dog likes the sea ."] * 50
    coder = prose.tokenizer(sentences, SIZES["tiny"].vocabulary, SIZES["tiny"].window)
    model = training.untrained(training.config(SIZES["tiny"], "alibi", len(coder)), 0)
    record = {"step": 1, "batch": 1, "window": 2}

    def start() -> None:
        (folder / training.CHECKPOINT).write_bytes(b"weights and moments")

    def check(ended: bool) -> None:
        found = folder / training.RECORD
        if found.is_file():
            known = json.loads(found.read_text())["weights sha256"]
            assert files.sha256(folder / "model.safetensors") == known
            assert (folder / "tokenizer.json").read_text() == coder.backend_tokenizer.to_str(pretty=True)
        else:
            assert (folder / training.CHECKPOINT).read_bytes() == b"weights and moments"
        assert found.is_file() or not ended
        for path in folder.iterdir():
            files.remove(path)
        start()

    start()
    return at_every_moment(lambda: training._publish(model, coder, folder, dict(record)), check)


def _forks(folder: Path, removing: bool) -> int:
    from interp.report import chapters, contents, forks

    here = scratch.small_book(folder / "checkout")
    os.environ["INTERP_ROOT"] = str(here)
    chapters.parameters("counting")  # so that what it imports is imported
    name, before = "counted-again", scratch.status(here)

    def make() -> None:
        forks.make("counting", given={"rounds": 3}, title="Counted again", check=False)

    def check(ended: bool) -> None:
        listed = name in contents.forks()
        assert not ended or listed != removing
        if listed:
            forks.remove(name)
        assert scratch.status(here) == before
        if removing:
            make()

    if not removing:
        return at_every_moment(make, check)
    make()
    return at_every_moment(lambda: forks.remove(name), check)


def fork(folder: Path) -> int:
    """A fork that is half made is listed, if anything of it is there, and can be removed."""
    return _forks(folder, removing=False)


def fork_removed(folder: Path) -> int:
    """A fork that is half removed is still listed, and can be removed."""
    return _forks(folder, removing=True)


WHAT = {f.__name__: f for f in (store_entry, reference_result, texts, unpacking, published, fork, fork_removed)}

if __name__ == "__main__":
    print(WHAT[sys.argv[1]](Path(sys.argv[2])))
