"""Full and read-only disks, real ones: one clear line, exit code 2, and what was finished is there."""

import contextlib
import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from interp import archive, cli, datasets, reference, store
from interp.errors import InputError
from interp.report import chapters
from scripts import reference as make_reference
from scripts.browser import serving
from tests import scratch

pytestmark = pytest.mark.mount


class Disk:
    """A file system of a megabyte, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)], check=True)

    def remount(self, *options: str) -> None:
        """Mount it anew, with other options."""
        subprocess.run(["mount", "-o", ",".join(["remount", *options]), str(self.path)], check=True)

    def fill(self) -> None:
        """Write until not a byte more goes in."""
        with contextlib.suppress(OSError), (self.path / "filler").open("ab", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)

    def refuse(self, how: str) -> str:
        """Be full or read-only; gives what the system calls that."""
        if how == "full":
            self.fill()
            return "No space left on device"
        self.remount("ro")
        return "Read-only file system"

    def accept(self) -> None:
        """Be writable again, with room."""
        self.remount("rw")
        (self.path / "filler").unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "disk")
    yield made
    subprocess.run(["umount", "--lazy", str(made.path)], check=True)


@pytest.fixture(params=["full", "read-only"])
def how(request):
    return request.param


def line(capsys, *command):
    """The one line that a command prints as it fails."""
    sys.argv = ["interp", *map(str, command)]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    (told,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2, told
    assert told.startswith("error: ")
    return told


def refused(path, why):
    """What is said of a file: a full disk is met in writing, a read-only one is seen before anything is computed."""
    return f"{path} may not be written" if "Read-only" in why else f"cannot write {path}: {why}"


@store.study("kept", identities={})
def kept(*, a: int):
    return {"one": pd.DataFrame({"value": [a] * 1000, "random": pd.Series(range(1000)).sample(frac=1, random_state=a)})}


def test_a_result_that_cannot_be_stored_is_given_and_those_that_are_stay(disk, how, monkeypatch):
    monkeypatch.setenv("INTERP_RESULTS", str(disk.path / "results"))
    kept(a=1)
    why = disk.refuse(how)
    with pytest.warns(store.Unkept, match=f"cannot keep a result in .*kept: {why}; make room there, or name another"):
        assert kept(a=2)["one"]["value"][0] == 2
    assert kept(a=1)["one"]["value"][0] == 1
    assert store.used[-1].replayed
    assert [p.name for p in (disk.path / "results" / "kept").iterdir()] == [store.used[-1].digest]
    disk.accept()
    kept(a=2)
    assert not store.used[-1].replayed
    kept(a=2)
    assert store.used[-1].replayed


def test_a_full_disk_at_any_size_of_what_is_left_leaves_whole_entries(disk, monkeypatch):
    monkeypatch.setenv("INTERP_RESULTS", str(disk.path / "results"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", store.Unkept)
        for a in range(150):
            assert kept(a=a)["one"]["value"][0] == a
    found = list((disk.path / "results" / "kept").iterdir())
    assert 10 < len(found) < 150
    for path in found:
        store.read_entry(path)


def test_archives(disk, how, monkeypatch, tmp_path, capsys):
    kept(a=1)
    archive.pack(tmp_path / "a.zip")
    old = (disk.path / "b.zip").write_bytes(b"an old one")
    (disk.path / "here").mkdir()
    why = disk.refuse(how)
    told = line(capsys, "pack", disk.path / "b.zip")
    assert refused(disk.path / "b.zip", why) in told
    assert len((disk.path / "b.zip").read_bytes()) == old
    monkeypatch.setenv("INTERP_RESULTS", str(disk.path / "here"))
    assert why in line(capsys, "unpack", tmp_path / "a.zip")
    assert list((disk.path / "here").iterdir()) == []


def test_a_download(disk, how, monkeypatch, tmp_path, capsys):
    (tmp_path / "served").mkdir()
    content = b"robin\tsings\n" * 1000
    (tmp_path / "served" / "norms.txt").write_bytes(content)
    monkeypatch.setenv("INTERP_CACHE", str(disk.path / "cache"))
    with serving(tmp_path / "served") as address:
        file = datasets.File("norms.txt", hashlib.sha256(content).hexdigest(), f"{address}/norms.txt")
        toy = datasets.Dataset("toy", "a toy", (file,), "free", "nobody")
        monkeypatch.setitem(datasets.DATASETS._members, "toy", toy)
        why = disk.refuse(how)
        told = line(capsys, "fetch", "toy")
        assert f"cannot write {disk.path / 'cache'}: {why}" in told
        assert "INTERP_CACHE names another" in told
        disk.accept()
        datasets.fetch("toy")
    assert datasets.read("toy", "norms.txt").read() == content
    assert [p.name for p in (disk.path / "cache").iterdir()] == ["toy"]


def test_a_figure(disk, how, tiny_folders, capsys):
    why = disk.refuse(how)
    picture = disk.path / "x.svg"
    told = line(capsys, "attend", "--text", "the dog barks", "--subject", tiny_folders["bert"], "--out", picture)
    assert refused(picture, why) in told
    assert not picture.exists()


def test_a_reference_result(disk, how, monkeypatch, capsys):
    monkeypatch.setenv("INTERP_REFERENCE", str(disk.path))

    def make(rows: int) -> None:
        table = pd.DataFrame({"value": range(rows)}).sample(frac=1, random_state=0)
        reference.write("toy", "one", {"summary": table}, command="make toy")

    make(10)
    why = disk.refuse(how)
    monkeypatch.setattr(make_reference.reference_norms, "make", lambda: make(100_000))
    monkeypatch.setattr(sys, "argv", ["reference.py", "--only", make_reference.reference_norms.NAME])
    assert make_reference.main() == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("error: cannot write ")
    assert why in told
    assert len(reference.load("toy")) == 10
    assert not list((disk.path / "toy").glob(".*"))


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    here = scratch.small_book(tmp_path_factory.mktemp("book") / "checkout")
    with (here / "config" / "smoke.yml").open("a") as profile:
        profile.write("    rounds: 2\n")
    return here


@pytest.mark.slow
def test_a_chapter(disk, book, monkeypatch, tmp_path, capsys):
    """In the chapter's own process, a result that is not kept ends it; a damaged one is told, and is on no page."""
    monkeypatch.setenv("INTERP_ROOT", str(book))
    monkeypatch.setenv("INTERP_RESULTS", str(disk.path / "results"))
    out = tmp_path / "counting.ipynb"
    chapters.execute("counting", {"rounds": 2}, out)
    page = out.read_bytes()
    why = disk.refuse("full")
    with pytest.raises(InputError, match=rf"^chapter counting: cannot keep a result in .*: {why}; [^\n]*$"):
        chapters.execute("counting", {"rounds": 3}, out)
    assert out.read_bytes() == page
    disk.accept()
    one, other = (disk.path / "results" / "counting").iterdir()
    (one / "counted.parquet").write_bytes(b"PAR1")
    capsys.readouterr()
    chapters.execute("counting", {"rounds": 2}, out)
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"warning: chapter counting: stored result {one} is damaged")
    first, again = (nbformat.reads(text, as_version=4) for text in (page.decode(), out.read_text()))
    assert first.cells[:-1] == again.cells[:-1]
    for path in (one, other):
        store.read_entry(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "how"), [("_build", "read-only"), ("_build", "full"), ("book/chapters", "full"), (".snakemake", "full")]
)
def test_make_book(disk, how, folder, book):
    """A folder of the checkout lies on such a disk: a line says so."""
    (book / folder).mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", str(disk.path), str(book / folder)], check=True)
    try:
        why = disk.refuse(how)
        done = scratch.run("make book PROFILE=smoke", book)
    finally:
        subprocess.run(["umount", str(book / folder)], check=True)
    told = done.stdout + done.stderr
    assert done.returncode == 2, told
    assert "Traceback" not in told, told
    assert len([text for text in told.splitlines() if text.startswith("error: ") and why in text]) == 1, told
