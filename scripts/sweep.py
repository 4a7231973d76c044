"""`make sweep`: run chapters for every subject, norm set and seed of a sweep file, and gather what came out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp import profile, stopping  # noqa: E402  (found once the checkout is on the path)
from interp.files import alone  # noqa: E402
from interp.report import chapters, comparison, sweeps  # noqa: E402
from interp.subjects.catalogue import check_device  # noqa: E402
from scripts import book  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("config") / "sweep.yml")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--executor", help="A folder of profiles/: run the chapters there (slurm).")
    parser.add_argument("--set", action="append", default=[], dest="given", metavar="NAME=VALUE")
    parser.add_argument("--gather", action="store_true", help="Only gather the runs that are finished.")
    parser.add_argument("--keep", action="store_true", help="Write the tables to book/reference, too.")
    parser.add_argument("--tied", action="store_true", help="End when the process that started this one does (make).")
    options = parser.parse_args()
    kept = "what was finished is kept, and the same command runs the rest"
    return stopping.exit_code(lambda: run(options), kept, tied=options.tied)


def run(options: argparse.Namespace) -> int:
    """Run a sweep, or only gather what is finished, and say how much of it is there.

    Raises
    ------
    InputError
        For a sweep that cannot be run.
    """
    sweep = sweeps.load(options.file)
    code = 0 if options.gather else execute(sweep, options)
    tables = sweeps.write(sweep) if options.gather or code else sweeps.read(sweep)
    if options.keep and not code:
        comparison.keep(sweep, tables, f"make sweep SWEEP={options.file} KEEP=1")
    done, planned = len(tables[sweeps.RUNS]), len(sweeps.plan(sweep).runs)
    print(
        f"{sweep.name}: {done} of {planned} runs, {len(tables[sweeps.OUTCOMES])} outcomes: {sweep.folder}/outcomes.csv"
    )
    if code:
        print("not all runs succeeded; what is finished is kept, and the same command runs the rest", file=sys.stderr)
    return code


def execute(sweep: sweeps.Sweep, options: argparse.Namespace) -> int:
    """Run what is not finished; Snakemake's exit code, 2 where a chapter refused its input.

    Raises
    ------
    InputError
        For a subject, norms, a parameter or an executor that is not there, or where the sweep is running already.
    """
    chapters.check(profile.load(sweep.profile))
    given = chapters.given(options.given)
    sweeps.check(sweep, given)
    if "device" in given and options.executor is None:  # on a cluster it is another machine that has the device
        check_device(given["device"])
    plan = sweeps.plan(sweep)
    for chapter, twin in plan.left_out:
        print(f"left out: {chapter} for {twin}; it takes the untrained twins of its subject along by itself")
    call = command(options.file, options.cores, options.given, options.executor)
    started = time.perf_counter()
    # A running sweep gathers its tables by `--gather`, which needs no lock.
    with alone(profile.project_root() / sweep.folder.with_suffix(".lock"), f"the sweep {sweep.name}"):
        print(f"sweep {sweep.name}: {sweep.description}; {len(plan.runs)} runs", flush=True)
        code, refused = book.run(call)
    print(f"sweep {sweep.name}: {time.perf_counter() - started:.0f} s", flush=True)
    return 2 if code and refused else code


def command(file: Path, cores: int, given: list[str], executor: str | None) -> list[str]:
    """The Snakemake call; it tells how far it is."""
    return [
        *(sys.executable, "-m", "snakemake", "sweep", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT)),
        *book.where(cores, executor),
        *("--nolock", "--rerun-incomplete", "--keep-going", "--quiet", "rules", "host", "reason"),
        *("--rerun-triggers", "mtime", "params", "input"),
        *("--config", f"sweep={file}", *([f"set={json.dumps(given)}"] if given else [])),
    ]


if __name__ == "__main__":
    sys.exit(main())
