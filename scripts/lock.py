"""Resolve pyproject.toml into requirements.lock and write the same pins into environment.yml.

Run with the environment's own Python (`make lock`). torch is held at one version, whose CPU build is what a machine
without a GPU installs; the CUDA packages of its GPU build are torch's own business and never locked.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HELD = ["torch==2.13.0"]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's index of CPU builds: Binder has no GPU, and the default build brings several GB of CUDA packages."""

HEADER = "# Exact versions of everything `make book` and `make test` use; written by scripts/lock.py (make lock).\n"


def resolved() -> list[str]:
    """The pins, one per line, without local version labels."""
    with tempfile.TemporaryDirectory() as folder:
        held, out = Path(folder) / "held.txt", Path(folder) / "lock.txt"
        held.write_text("\n".join(HELD) + "\n")
        quiet = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        quiet += ["--no-emit-trusted-host", "--strip-extras", "--allow-unsafe"]
        extras = ["--extra", "book", "--extra", "cluster", "--extra", "dev"]
        files = ["--constraint", str(held), "--output-file", str(out), str(ROOT / "pyproject.toml")]
        subprocess.run(
            [sys.executable, "-m", "piptools", "compile", *quiet, *extras, *files],
            check=True,
        )
        lines = [line.strip() for line in out.read_text().splitlines() if "==" in line]
    return [re.sub(r"\+\w+$", "", line) for line in lines]


def environment(pins: list[str]) -> str:
    """environment.yml for conda and Binder."""
    rows = "\n".join(f"      - {pin}" for pin in pins)
    return (
        "# The environment of requirements.lock for conda, mamba and Binder; written by scripts/lock.py (make lock).\n"
        "name: llms-explaint\nchannels:\n  - conda-forge\n  - nodefaults\ndependencies:\n  - python=3.11\n"
        f"  - pip\n  - pip:\n      - --extra-index-url {CPU_INDEX}\n{rows}\n      - --editable .\n"
    )


if __name__ == "__main__":
    pins = resolved()
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(pins) + "\n")
    (ROOT / "environment.yml").write_text(environment(pins))
    print(f"{len(pins)} packages locked")
