"""`make book`: run the Snakefile, tell what happens, and say at the end where the book lies."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


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
    options = parser.parse_args()

    from interp import profile
    from interp.errors import InputError
    from interp.report import chapters, editions
    from interp.subjects.catalogue import check_device

    try:  # say what is wrong in one line before Snakemake wraps it into many
        where(options.cores, options.executor)
        loaded = profile.load(options.profile)
        chapters.check(loaded)
        given = chapters.given(options.given)
        chapters.check_given(loaded, given)
        if "device" in given and options.executor is None:  # on a cluster it is another machine that has the device
            check_device(given["device"])
        edition = editions.edition(given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    started = time.perf_counter()
    print(f"profile {loaded.name}: {loaded.description}", flush=True)
    index = ROOT / edition.html / "index.html"
    before = index.stat().st_mtime_ns if index.exists() else None
    code, refused = run(command(options.profile, options.cores, options.given, options.executor))
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


def run(call: list[str]) -> tuple[int, bool]:
    """Run a command and pass its lines on; its exit code, and whether it refused an input (`error: ...`)."""
    refused = False
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1) as process:
        assert process.stdout is not None
        for line in process.stdout:
            refused |= line.startswith("error: ")
            print(line, end="", flush=True)
        return process.wait(), refused


if __name__ == "__main__":
    sys.exit(main())
