"""Resolve pyproject.toml into requirements.lock, and its lowest versions into requirements-minimum.lock.

The pins of the first are written into environment.yml, too.

Run with the environment's own Python (`make lock`). torch is held at one version, whose CPU build is what a machine
without a GPU installs; the CUDA packages of its GPU build are torch's own business and never locked.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELD = ["torch==2.13.0"]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's index of CPU builds: Binder has no GPU, and the default build brings several GB of CUDA packages."""

HEADER = "# Exact versions of everything `make book` and `make test` use; written by scripts/lock.py (make lock).\n"
MINIMUM_HEADER = (
    "# The lowest versions pyproject.toml allows, for `make minimum`; written by scripts/lock.py (make lock).\n"
)


def resolved(held: list[str], known: list[str] | None = None) -> list[str]:
    """The pins, one per line, without local version labels; `known` ones stay where they fit."""
    with tempfile.TemporaryDirectory() as folder:
        constraint, out = Path(folder) / "held.txt", Path(folder) / "lock.txt"
        constraint.write_text("\n".join(held) + "\n")
        out.write_text("\n".join(known or []) + "\n")
        quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        quiet += ["--no-emit-trusted-host", "--strip-extras", "--allow-unsafe"]
        extras = ["--extra", "book", "--extra", "cluster", "--extra", "dev"]
        files = ["--constraint", str(constraint), "--output-file", str(out), str(ROOT / "pyproject.toml")]
        subprocess.run(
            [sys.executable, "-m", "piptools", "compile", *quiet, *extras, *files],
            check=True,
        )
        lines = [line.strip() for line in out.read_text().splitlines() if "==" in line]
    return [re.sub(r"\+\w+$", "", line) for line in lines]


def lowest() -> dict[str, str]:
    """The lowest version of every package that pyproject.toml gives a lowest version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra)]
    bounds = (re.fullmatch(r"([\w.-]+)>=([\w.]+)", line) for line in wanted)
    return {found[1]: found[2] for found in bounds if found}


def minimum(pins: list[str]) -> list[str]:
    """The lowest versions of what pyproject.toml names, and of the rest what `pins` say, where that fits."""
    held = lowest()
    rest = [pin for pin in pins if pin.partition("==")[0].lower() not in {name.lower() for name in held}]
    return resolved([f"{name}=={version}" for name, version in held.items()], rest)


def environment(pins: list[str]) -> str:
    """environment.yml for conda and Binder."""
    rows = "\n".join(f"      - {pin}" for pin in pins)
    return (
        "# The environment of requirements.lock for conda, mamba and Binder; written by scripts/lock.py (make lock).\n"
        "name: llms-explaint\nchannels:\n  - conda-forge\n  - nodefaults\ndependencies:\n  - python=3.11\n"
        f"  - pip\n  - pip:\n      - --extra-index-url {CPU_INDEX}\n{rows}\n      - --editable .\n"
    )


if __name__ == "__main__":
    pins = resolved(HELD)
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(pins) + "\n")
    (ROOT / "environment.yml").write_text(environment(pins))
    lines = minimum(pins)
    (ROOT / "requirements-minimum.lock").write_text(MINIMUM_HEADER + "\n".join(lines) + "\n")
    print(f"{len(pins)} packages locked")
