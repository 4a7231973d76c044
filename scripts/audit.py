"""`make audit`: does anyone know a vulnerability of a locked package? Exceptions are explained in docs/audit.md.

pip-audit lives in an environment of its own, so that the book's is the same with and without it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINNED = "pip-audit==2.10.1"
EXCEPTION = re.compile(r"^\| ((?:PYSEC|CVE|GHSA)-[\w-]+) \| (\S+) \| (.+) \|$", re.MULTILINE)
"""A row of the table: the advisory, the package, why it does not reach us."""


def exceptions() -> list[str]:
    """Advisories that docs/audit.md explains."""
    return [row[0] for row in EXCEPTION.findall((ROOT / "docs" / "audit.md").read_text(encoding="utf-8"))]


def command(python: Path) -> list[str]:
    """The call of pip-audit; strict, so that a package it cannot look up is a failure and not left out."""
    lock = str(ROOT / "requirements.lock")
    ignored = [word for advisory in exceptions() for word in ("--ignore-vuln", advisory)]
    return [str(python), "-m", "pip_audit", "--requirement", lock, "--no-deps", "--disable-pip", "--strict", *ignored]


def main() -> int:
    folder = ROOT / "_build" / "audit"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", PINNED]
    return subprocess.run(install).returncode or subprocess.run(command(python)).returncode


if __name__ == "__main__":
    sys.exit(main())
