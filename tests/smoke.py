"""The chapters on the profile `smoke`: executing them, and what is in them then."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from interp import notebook, profile
from interp.report import chapters, provenance

ONE_PROCESS = pytest.mark.xdist_group("chapters")
"""For tests that share the chapters which `executed` (in conftest) executes once."""


def execute(folder: Path, kernels: Path | str, names: Iterable[str]) -> None:
    """Chapters on `smoke`, with a store that they share."""
    smoke = profile.load("smoke")
    with pytest.MonkeyPatch.context() as here:
        here.setenv("INTERP_RESULTS", str(folder / "results"))
        here.setenv("JUPYTER_PATH", str(kernels))
        for name in names:
            chapters.execute(name, smoke.of(name, chapters.parameters(name)), folder / "chapters" / f"{name}.ipynb")


def cells(folder: Path, name: str) -> Any:
    """The cells of an executed chapter; in the last one stands what the run was, and when."""
    return nbformat.read(folder / "chapters" / f"{name}.ipynb", as_version=4).cells


def record(folder: Path, name: str) -> dict[str, Any]:
    """The provenance of an executed chapter."""
    return notebook.filed(folder / "chapters" / f"{name}.ipynb", provenance.MIME)[-1]


def files(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, as its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
