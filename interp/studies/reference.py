"""Committed results of the real norms, for machines that have only the embedded ones (`book/reference/`).

McRae's norms may not be passed on; what is committed here are numbers and curves about them, none of their rows.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pandas as pd

from interp import norms as norm_sets
from interp.errors import InputError
from interp.profile import project_root
from interp.store import Tables

HUMAN = ("mcrae", "buchanan", "binder")
COMMAND = 'python -c "from interp.studies import reference; reference.describe_norms()"'
LIBRARIES = ("numpy", "scipy", "pandas")
DIGITS = "%.6g"
"""Enough to compare with, and the same file on machines whose last bits differ."""


def folder() -> Path:
    """Where the reference files are."""
    return project_root() / "book" / "reference"


def norms_tables(names: Sequence[str] = HUMAN) -> Tables:
    """Description and marginals of norm sets, and what the embedded set shares with McRae's, if that is among them.

    Tables ``norms`` (one row a set, see `norms.describe`), ``norms-curves`` (see `norms.marginals`) and
    ``norms-overlap`` (one row, see `norms.Overlap`).
    """
    sets = [norm_sets.load(name) for name in names]
    tables = {
        "norms": pd.DataFrame([norm_sets.describe(s) for s in sets]),
        "norms-curves": pd.concat([norm_sets.marginals(s) for s in sets], ignore_index=True),
    }
    if "mcrae" in names:
        common = norm_sets.overlap(norm_sets.load("everyday"), sets[list(names).index("mcrae")])
        tables["norms-overlap"] = pd.DataFrame([{**asdict(common), "most": common.most}])
    return tables


def describe_norms(target: Path | None = None) -> None:
    """Write `norms_tables` of the three human sets as CSV, with their provenance in ``norms.json``.

    Raises
    ------
    InputError
        If the norms are not on this machine.
    """
    target = target or folder()
    target.mkdir(parents=True, exist_ok=True)
    for name, table in norms_tables().items():
        table.to_csv(target / f"{name}.csv", index=False, float_format=DIGITS, lineterminator="\n")
    provenance = {
        "command": COMMAND,
        "created": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _commit(),
        "data": {name: norm_sets.load(name).checksum for name in (*HUMAN, "everyday")},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}},
    }
    (target / "norms.json").write_text(json.dumps(provenance, indent=1) + "\n", encoding="utf-8")


def read_norms(source: Path | None = None) -> Tables:
    """The tables that `describe_norms` wrote.

    Raises
    ------
    InputError
        If they are not there.
    """
    source = source or folder()
    try:
        return {name: pd.read_csv(source / f"{name}.csv") for name in ("norms", "norms-curves", "norms-overlap")}
    except FileNotFoundError as missing:
        raise InputError(f"no reference file {missing.filename}; with the real norms at hand: {COMMAND}") from None


def _commit() -> str:
    """The commit the numbers were computed at, with a star if tracked files differed from it."""
    try:
        name, changed = (
            subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, cwd=project_root()).stdout
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return "not under version control"
    return name.strip() + ("*" if changed.strip() else "")
