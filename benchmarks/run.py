"""Run every benchmark of this folder, each row in a process of its own, and write the tables."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from interp.files import write_text, write_texts

HERE = Path(__file__).parent
ROWS = HERE / ".rows"
RESULTS = "results"
"""What the files are called unless `--into` names them for another machine."""

LIBRARIES = ("numpy", "scipy", "torch", "scikit-learn", "transformers")


def benchmarks() -> dict[str, Any]:
    """The modules of this folder that have `rows`, by name."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("run", "__init__"))
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "rows")}


def machine(threads: int) -> dict[str, Any]:
    """What the numbers were measured on, in words."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpu": ", ".join(gpus) or "none",
        "system": f"{platform.system()} {platform.machine()}",
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in LIBRARIES},
        "date": datetime.now(UTC).date().isoformat(),
        "load_at_start": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def peak_gib() -> float:
    """Peak resident memory of this process; Linux's own mark, since getrusage remembers the parent's."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measure(name: str, row: str) -> None:
    """In the process of one row: measure it and keep it."""
    result = importlib.import_module(f"benchmarks.{name}").rows()[row]()
    if result.get("against_seconds") and result["seconds"]:
        result["ratio"] = result["against_seconds"] / result["seconds"]
    result |= {"peak_gib": round(peak_gib(), 3), "threads": int(os.environ["OMP_NUM_THREADS"])}
    path = _kept(name, row)
    write_text(path, json.dumps(result, indent=1) + "\n")


def _kept(name: str, row: str) -> Path:
    return ROWS / f"{name}.{re.sub('[^a-z0-9]+', '-', row.lower())}.json"


def _done(name: str, row: str, threads: int) -> dict[str, Any] | None:
    """A row that was measured with so many threads, or None."""
    path = _kept(name, row)
    result = json.loads(path.read_text()) if path.exists() else {}
    return result if result.get("threads") == threads else None


def _environment(threads: int) -> dict[str, str]:
    counts = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
    return {**os.environ, **counts, "TQDM_DISABLE": "1", "PYTHONPATH": str(HERE.parent)}


def table(measured: dict[str, dict[str, Any]]) -> str:
    """A benchmark's rows as a Markdown table."""
    lines = [
        "| what | time | against | its time | ratio | target | peak memory | note |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in measured.values():
        ratio, target = row.get("ratio"), row.get("target")
        wanted = "" if target is None else f"{target}x{_verdict(ratio is not None and ratio >= target)}"
        factor = "" if ratio is None else f"{ratio:,.1f}x"
        if (most := row.get("at_most")) is not None:  # slower than what it is held against, by so much at most
            times = row["seconds"] / row["against_seconds"]
            factor, wanted = f"takes {times:.2f}x", f"at most {most}x{_verdict(times <= most)}"
        memory = f"{row['peak_gib']:.2f} GiB"
        if (limit := row.get("peak_limit_gib")) is not None:
            memory += f", limit {limit} ({'met' if row['peak_gib'] < limit else '**missed**'})"
        cells = [
            row["what"],
            _time(row["seconds"]),
            row.get("against", ""),
            _time(row.get("against_seconds")),
            factor,
            wanted,
            memory,
            row.get("note", ""),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _verdict(met: bool) -> str:
    return " (met)" if met else " (**missed**)"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"


def write(
    results: dict[str, dict[str, dict[str, Any]]], where: dict[str, Any], modules: dict[str, Any], into: str
) -> None:
    """The tables, for programs and to read."""
    text = json.dumps({"machine": where, "benchmarks": results}, indent=1, allow_nan=False)
    versions = ", ".join(f"{k} {v}" for k, v in where["versions"].items())
    parts = [
        "# Benchmarks",
        f"{where['processor']}, {where['cores']} cores, {where['memory_gib']} GiB, GPU: {where['gpu']}; "
        f"{where['system']}, Python {where['python']}, {versions}; {where['threads']} thread(s) on both sides; "
        f"{where['date']}, load at the start {where['load_at_start']}. Written by `make bench`.",
    ]
    for name, measured in results.items():
        parts += [f"## {name}", (modules[name].__doc__ or "").strip().splitlines()[0], table(measured)]
        if hasattr(modules[name], "summary"):
            parts.append(modules[name].summary(measured))
    write_texts({HERE / f"{into}.json": text + "\n", HERE / f"{into}.md": "\n\n".join(parts) + "\n"})


def main() -> None:
    """Measure what is not measured yet, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="benchmarks to run; all of them")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there")
    parser.add_argument("--threads", type=int, default=1, help="threads, for both sides of a comparison")
    parser.add_argument("--into", default=RESULTS, metavar="NAME", help="files to write; for another machine, its name")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        measure(arguments.names[0], arguments.row)
        return
    modules = benchmarks()
    unknown = set(arguments.names) - modules.keys()
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(modules)}")
    for name in arguments.names:
        if not modules[name].rows():
            parser.error(f"{name}: nothing of it can be measured on this machine")
    where = machine(arguments.threads)
    failed = []
    for name in arguments.names or modules:
        for row in modules[name].rows():
            if _done(name, row, arguments.threads) and not arguments.fresh:
                print(f"{name}, {row}: done before", flush=True)
                continue
            print(f"{name}, {row}: ", end="", flush=True)
            command = [sys.executable, "-m", "benchmarks.run", name, "--row", row]
            done = subprocess.run(command, env=_environment(arguments.threads), cwd=HERE.parent, check=False)
            if done.returncode:
                failed.append(f"{name}, {row}")
                continue
            result = json.loads(_kept(name, row).read_text())
            ratio = f", {result['ratio']:.1f}x" if "ratio" in result else ""
            print(
                f"{_time(result['seconds']) or result.get('note', '')}{ratio}, {result['peak_gib']:.2f} GiB", flush=True
            )
    results = {
        name: {row: done for row in module.rows() if (done := _done(name, row, arguments.threads))}
        for name, module in modules.items()
    }
    write({name: measured for name, measured in results.items() if measured}, where, modules, arguments.into)
    print(f"written: {HERE.name}/{arguments.into}.md and {arguments.into}.json")
    if failed:
        sys.exit(f"failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
