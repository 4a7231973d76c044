"""Results of expensive computations, kept on disk under an address made of everything they depend on.

``results/<study>/<digest>/`` holds one parquet file per table and a ``meta.json``. The digest covers the arguments, the
identity of the data and the subject they name, and the source of every module of this package that the computation can
reach: a change of a figure or of prose recomputes nothing, a change of a metric recomputes what used it. An entry
appears by one rename, so what is there is whole; its checksums are compared whenever it is read.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import json
import os
import platform
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from interp.errors import InputError
from interp.files import sha256
from interp.profile import project_root

Tables = dict[str, pd.DataFrame]

RECORDED = ("torch", "transformers", "scikit-learn", "numpy", "scipy", "pandas")
"""Libraries whose versions an entry records."""


class DamagedEntry(UserWarning):
    """A stored result was not what was written; it is computed again."""


@dataclass(frozen=True)
class Used:
    """One stored result that this process used, for the provenance at the end of a chapter."""

    study: str
    digest: str
    replayed: bool
    seconds: float
    """What the computation took when it was made."""
    meta: Mapping[str, Any]


used: list[Used] = []
"""Every entry this process has used, in order."""


def root() -> Path:
    """Where results are kept: ``$INTERP_RESULTS``; else ``results`` of the checkout that the current folder lies in, so
    that a chapter opened in Jupyter replays what `make book` computed; else ``results`` right here.
    """
    if os.environ.get("INTERP_RESULTS"):
        return Path(os.environ["INTERP_RESULTS"])
    with contextlib.suppress(InputError):
        return project_root() / "results"
    return Path("results")


def study(
    name: str, *, identities: Mapping[str, Callable[[Any], str]], volatile: tuple[str, ...] = ("device",)
) -> Callable[[Callable[..., Tables]], Callable[..., Tables]]:
    """Keep the results of the decorated function, which takes keyword arguments of plain JSON and gives tables.

    Parameters
    ----------
    name
        The study's folder.
    identities
        For arguments that name something outside (a subject, norms, a corpus): what exactly the name stands for.
    volatile
        Arguments that do not change the numbers and are left out of the address.
    """

    def decorate(compute: Callable[..., Tables]) -> Callable[..., Tables]:
        signature = inspect.signature(compute)

        @functools.wraps(compute)
        def stored(**arguments: Any) -> Tables:
            bound = signature.bind(**arguments)
            bound.apply_defaults()
            address = {
                "study": name,
                "arguments": {k: v for k, v in bound.arguments.items() if k not in volatile},
                "identities": {k: identify(bound.arguments[k]) for k, identify in identities.items()},
                "source": source_digest(compute.__module__),
            }
            digest = digest_of(address)
            folder = root() / name / digest
            found = _read(folder)
            if found is not None:
                tables, meta = found
                used.append(Used(name, digest, True, meta["seconds"], meta))
                return tables
            started = time.perf_counter()
            tables = compute(**bound.arguments)
            meta = {
                **address,
                "digest": digest,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.perf_counter() - started, 3),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "volatile": {k: bound.arguments[k] for k in volatile if k in bound.arguments},
                "versions": {
                    "python": platform.python_version(),
                    **{p: metadata.version(p) for p in RECORDED},
                },
            }
            _write(folder, tables, meta)
            used.append(Used(name, digest, False, meta["seconds"], meta))
            # What was written is what is given back, so that a first run and a replay cannot differ.
            again = _read(folder)
            return tables if again is None else again[0]

        return stored

    return decorate


def digest_of(address: Mapping[str, Any]) -> str:
    """The name of an entry: a digest of everything it depends on."""
    text = json.dumps(address, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _read(folder: Path) -> tuple[Tables, dict[str, Any]] | None:
    """A whole entry, or None: where there is none, or where it is damaged (said, and removed)."""
    if not folder.is_dir():
        return None
    try:
        return read_entry(folder)
    except ValueError as error:
        warnings.warn(f"stored result {folder} is damaged ({error}): computing it again", DamagedEntry, stacklevel=3)
        shutil.rmtree(folder, ignore_errors=True)
        return None


def read_entry(folder: Path) -> tuple[Tables, dict[str, Any]]:
    """The tables of an entry and what is known about them, checksums compared.

    Raises
    ------
    ValueError
        Saying how the entry is damaged.
    """
    try:
        meta = json.loads((folder / "meta.json").read_text())
        for file, wanted in meta["files"].items():
            if sha256(folder / file) != wanted:
                raise ValueError(f"{file} has the wrong checksum")
        return {Path(file).stem: pd.read_parquet(folder / file) for file in meta["files"]}, meta
    except (OSError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        raise ValueError(str(error)) from None


def _write(folder: Path, tables: Tables, meta: dict[str, Any]) -> None:
    partial = folder.with_name(f".partial-{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        partial.mkdir(parents=True)
        for name, table in tables.items():
            table.to_parquet(partial / f"{name}.parquet", index=False)
        files = {f"{name}.parquet": sha256(partial / f"{name}.parquet") for name in tables}
        (partial / "meta.json").write_text(json.dumps({**meta, "files": files}, indent=1, ensure_ascii=False) + "\n")
        _sync(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process finished the same computation first; its entry is as good as ours.
    except OSError as error:
        warnings.warn(f"cannot keep a result in {folder.parent}: {error}", stacklevel=3)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Have the bytes on disk before the rename makes them an entry."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


@functools.lru_cache(maxsize=64)
def source_digest(module: str) -> str:
    """sha256 of the code that `module` can reach within this package, comments and docstrings apart."""
    digest = hashlib.sha256()
    for name in sorted(_reachable(module)):
        digest.update(f"{name}\n{_code(name)}\n".encode())
    return digest.hexdigest()


def _path_of(module: str) -> Path | None:
    base = Path(__file__).parent.joinpath(*module.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@functools.lru_cache(maxsize=512)
def _tree(module: str) -> ast.Module:
    path = _path_of(module)
    if path is None:
        raise InputError(f"no module {module} in {Path(__file__).parent}")
    return ast.parse(path.read_text())


def _code(module: str) -> str:
    tree = _tree(module)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A bare string is a docstring or the note on an attribute.
            kept = [x for x in body if not (isinstance(x, ast.Expr) and isinstance(x.value, ast.Constant))]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _reachable(module: str) -> set[str]:
    """`module` and what it imports from this package, at any depth, inside functions too."""
    package = __name__.split(".")[0]
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or _path_of(name) is None:
            continue
        seen.add(name)
        for node in ast.walk(_tree(name)):
            found = []
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            waiting += [f for f in found if f.split(".")[0] == package and f not in (package, __name__)]
    return seen
