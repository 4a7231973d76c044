"""What all tests share. Tests that need data or a built book say so; a run without them says what it left out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # importlib mode: the benchmarks and scripts are not installed

from scripts.browser import CHROMIUM  # noqa: E402

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


MISSING = {
    "data": None if os.environ.get("INTERP_DATA") else "INTERP_DATA is not set",
    "book": None
    if CHROMIUM and (ROOT / "_build" / "html" / "index.html").is_file()
    else "there is no chromium"
    if not CHROMIUM
    else "the book is not built (make book)",
}


def _gpu() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "torch sees no CUDA device"


def _mount() -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return "no file system can be mounted here (root on Linux can)"
        subprocess.run(["umount", folder], check=True)
    return None


@cache
def _missing() -> dict[str, str | None]:
    """For each mark of tests that not every machine can run, why this one cannot."""
    return {**MISSING, "gpu": _gpu(), "mount": _mount()}


def pytest_configure() -> None:
    """What INTERP_REQUIRE=data,book names has to run: an error where it cannot."""
    required = list(filter(None, os.environ.get("INTERP_REQUIRE", "").split(",")))
    missing = _missing() if required else {}
    for mark in required:
        if why := missing.get(mark, f"there is no such mark; there are {', '.join(missing)}"):
            raise pytest.UsageError(f"tests marked {mark!r} are required here, but {why}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here, and say why."""
    out: list[pytest.Item] = []
    for mark, why in _missing().items():
        if why is None:
            continue
        gone = [item for item in items if item.get_closest_marker(mark)]
        out += gone
        if gone:
            config.stash.setdefault(LEFT_OUT, {})[mark] = (len(gone), why)
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in set(out)]
    if hasattr(config, "workeroutput"):  # a worker of pytest-xdist: what is told at the end, another process tells
        config.workeroutput["left_out"] = config.stash.get(LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Every worker has left out the same."""
    node.config.stash.setdefault(LEFT_OUT, {}).update(getattr(node, "workeroutput", {}).get("left_out", {}))


LEFT_OUT = pytest.StashKey[dict[str, tuple[int, str]]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for mark, (count, why) in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"left out: {count} tests marked {mark!r}, because {why}")


@pytest.fixture(autouse=True)
def _own_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a store and a download cache of its own."""
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def minilm():
    from interp import subjects

    return subjects.load("minilm")


@pytest.fixture(scope="session")
def kernels() -> Iterator[Path]:
    """For ``JUPYTER_PATH``, in tests of the group ``chapters``: a kernel that starts at once."""
    from tests.warm_kernel import warm_kernels

    with warm_kernels(ROOT) as folder:
        yield folder


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Path:
    """Each chapter executed once on `smoke`, for tests marked `smoke.ONE_PROCESS`."""
    from interp.report import chapters
    from tests import smoke

    folder = tmp_path_factory.mktemp("smoke")
    smoke.execute(folder, kernels, chapters.names())
    return folder


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a small random model for each family."""
    from tests.tiny import FAMILIES, folder

    return {family: folder(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(scope="session")
def tiny(tiny_folders: dict[str, Path]):
    """A small random subject for each family."""
    from interp import subjects

    return {family: subjects.load(str(path)) for family, path in tiny_folders.items()}
