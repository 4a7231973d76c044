"""`make book`: run the Snakefile, tell what happens, and say at the end where the book lies."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp import profile  # noqa: E402  (found once the checkout is on the path)
from interp.errors import InputError  # noqa: E402
from interp.profile import Profile  # noqa: E402
from interp.registry import unknown  # noqa: E402
from interp.report import chapters, editions  # noqa: E402


def command(config: list[str], cores: int, cluster: str | None = None, target: str = "all") -> list[str]:
    """The Snakemake call: on `cores` of this machine, or as the profile ``profiles/<cluster>`` says.

    Raises
    ------
    InputError
        If there is no such profile.
    """
    where = ["--cores", str(cores), "--quiet", "all" if target == "all" else "rules", "host", "reason"]
    if cluster is not None:
        known = sorted(p.parent.name for p in (ROOT / "profiles").glob("*/config.yaml"))
        if cluster not in known:
            raise InputError(unknown("executor", cluster, known))
        where = ["--profile", str(ROOT / "profiles" / cluster), "--local-cores", str(cores)]
    return [
        *(sys.executable, "-m", "snakemake", target),
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT)),
        *where,
        *("--nolock", "--rerun-incomplete", "--keep-going"),
        *("--rerun-triggers", "mtime", "params", "input"),
        *("--config", *config),
    ]


def setting(pairs: list[str]) -> list[str]:
    """Parameters of the command line, as Snakemake's ``--config`` takes them."""
    return [f"set={pairs!r}"] if pairs else []


def check(name: str, pairs: list[str]) -> tuple[Profile, dict[str, Any]]:
    """The profile and the parameters of the command line; says what is wrong before Snakemake wraps it into many lines.

    Raises
    ------
    InputError
        For an unknown profile, chapter or parameter, or a value of the wrong type.
    """
    loaded = profile.load(name)
    chapters.check(loaded)
    known = {key for name in chapters.names() for key in chapters.parameters(name)}
    given = chapters.given(pairs)
    for key in given:
        chapters.check_parameter("make", dict.fromkeys(sorted(known)), key, None)
    return loaded, given


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--executor", help="A folder of profiles/: run the chapters there (slurm).")
    parser.add_argument("--set", action="append", default=[], dest="given", metavar="NAME=VALUE")
    options = parser.parse_args()
    try:
        loaded, given = check(options.profile, options.given)
        edition = editions.edition(given)
        config = [f"profile={options.profile}", *setting(options.given)]
        call = command(config, options.cores, options.executor)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    started = time.perf_counter()
    print(f"profile {loaded.name}: {loaded.description}", flush=True)
    index = ROOT / edition.html / "index.html"
    before = index.stat().st_mtime_ns if index.exists() else None
    code, refused = run(call)
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
