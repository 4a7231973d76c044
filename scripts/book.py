"""`make book`: run the Snakefile, tell what happens, and say at the end where the book lies."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from interp.report.editions import Edition


def where(cores: int, executor: str | None) -> list[str]:
    """How Snakemake is told where to run: on `cores` of this machine, or as the profile ``profiles/<executor>`` says.

    Raises
    ------
    InputError
        If there is no such profile, or no core.
    """
    from interp.errors import InputError
    from interp.registry import unknown

    if cores < 1:
        raise InputError(f"CORES={cores}: at least one")
    if executor is None:
        return ["--cores", str(cores)]
    known = sorted(path.parent.name for path in (ROOT / "profiles").glob("*/config.yaml"))
    if executor not in known:
        raise InputError(unknown("executor", executor, known))
    return ["--profile", str(ROOT / "profiles" / executor), "--local-cores", str(cores)]


def command(profile: str, cores: int, given: list[str], executor: str | None = None) -> list[str]:
    """The Snakemake call."""
    config = [f"profile={profile}"] + ([f"set={json.dumps(given)}"] if given else [])  # read as YAML, which JSON is
    triggers = ["--rerun-triggers", "mtime", "params", "input"]
    return [
        *(
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--directory",
            str(ROOT),
        ),
        *where(cores, executor),
        *("--nolock", "--rerun-incomplete", "--keep-going", "--quiet", "all"),
        *triggers,
        *("--config", *config),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--executor", help="A folder of profiles/: run the chapters there (slurm).")
    parser.add_argument("--set", action="append", default=[], dest="given", metavar="NAME=VALUE")
    parser.add_argument("--tied", action="store_true", help="End when the process that started this one does (make).")
    options = parser.parse_args()

    from interp import stopping

    kept = "what was finished is kept, and `make book` goes on from there"
    return stopping.exit_code(lambda: book(options), kept, tied=options.tied)


def book(options: argparse.Namespace) -> int:
    """Check what is asked for, run Snakemake on it while nobody else does, and tell how it ended."""
    from interp import profile
    from interp.files import alone
    from interp.report import chapters, editions
    from interp.subjects.catalogue import check_device

    # Say what is wrong in one line before Snakemake wraps it into many.
    where(options.cores, options.executor)
    loaded = profile.load(options.profile)
    chapters.check(loaded)
    given = chapters.given(options.given)
    chapters.check_given(loaded, given)
    if "device" in given and options.executor is None:  # on a cluster it is another machine that has the device
        check_device(given["device"])
    edition = editions.edition(given)
    with alone(ROOT / edition.html.with_name("book.lock"), "make book"):
        print(f"profile {loaded.name}: {loaded.description}", flush=True)
        return build(options, edition)


def build(options: argparse.Namespace, edition: Edition) -> int:
    """Run Snakemake and say how it ended."""
    started = time.perf_counter()
    index = ROOT / edition.html / "index.html"
    before = index.stat().st_mtime_ns if index.exists() else None
    code, refused = run(command(options.profile, options.cores, options.given, options.executor))
    if code and not refused:
        _write_a_page()  # Snakemake says nothing of a disk that is full
    if code:
        print(
            "the book was not built; what was finished is kept, and `make book` goes on from there",
            file=sys.stderr,
        )
        return 2 if refused else code
    if index.stat().st_mtime_ns == before:
        print("nothing to do: the book is up to date")
    serve = f"make serve SUBJECT={shlex.quote(edition.subject)}" if edition.subject else "make serve"
    print(f"the book: {index} ({serve} shows it), {time.perf_counter() - started:.0f} s")
    return 0


def _write_a_page() -> None:
    """Write where Snakemake keeps its records, and raise the file system's refusal if it has one."""
    from interp.files import write_text

    page = ROOT / ".snakemake" / "page"
    write_text(page, " " * 4096)
    page.unlink()


def run(call: list[str]) -> tuple[int, bool]:
    """Run a command and pass its lines on; its exit code, and whether it refused an input (`error: ...`).

    It ends with this process, with all that it has started (see `lifeline.py`).
    """
    refused = False
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "lifeline.py"), *call],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        start_new_session=True,  # out of reach of a terminal's Ctrl-C, which is handled here
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for line in process.stdout:
            refused |= line.startswith("error: ")
            print(line, end="", flush=True)
        return process.wait(), refused
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
