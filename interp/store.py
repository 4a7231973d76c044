"""Results of expensive computations, kept on disk under an address made of everything they depend on.

``results/<study>/<digest>/`` holds one parquet file per table and a ``meta.json``. The digest covers the arguments, the
identity of the data and the subject they name, and the source of every module of this package that the computation can
reach: a change of a figure or of prose recomputes nothing, a change of a metric recomputes what used it. An entry
appears by one rename, so what is there is whole; its checksums are compared whenever it is read, and what was damaged
since is named and computed again.
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
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from interp.errors import InputError
from interp.files import partial_name, remove, sha256, sync
from interp.profile import project_root

Tables = dict[str, pd.DataFrame]

RECORDED = ("torch", "transformers", "scikit-learn", "numpy", "scipy", "pandas")
"""Libraries whose versions an entry records."""


class DamagedEntry(UserWarning):
    """A stored result was not what was written; it is computed again."""


UNKEPT = "cannot keep a result"
"""How the warning about it begins."""


class Unkept(UserWarning):
    """A result could not be written to the store; it is used, and lost with the process."""


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
    """A whole entry, or None: where there is none, or where it is damaged (said, and removed).

    Raises
    ------
    InputError
        Where it is there and cannot be read: that is no reason to compute it again, and none to remove it.
    """
    if not folder.is_dir():
        return None
    try:
        return read_entry(folder)
    except ValueError as error:
        warnings.warn(f"stored result {folder} is damaged ({error}): computing it again", DamagedEntry, stacklevel=3)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    except OSError as error:
        raise InputError(f"cannot read the stored result {folder}: {error.strerror or error}") from None


def read_entry(folder: Path) -> tuple[Tables, dict[str, Any]]:
    """The tables of an entry and what is known about them, checksums compared.

    Raises
    ------
    ValueError
        Saying how the entry is damaged.
    OSError
        Where the file system does not let it be read.
    """
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta.get("checksum", checksum(meta)) != checksum(meta):  # entries of earlier versions have none
            raise ValueError("meta.json has the wrong checksum")
        for file, wanted in meta["files"].items():
            if sha256(folder / file) != wanted:
                raise ValueError(f"{file} has the wrong checksum")
    except (FileNotFoundError, IsADirectoryError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    try:
        return {Path(file).stem: pd.read_parquet(folder / file) for file in meta["files"]}, meta
    except (OSError, NotImplementedError) as error:  # how pyarrow says that the right bytes are no table
        raise ValueError(str(error)) from None


def checksum(meta: Mapping[str, Any]) -> str:
    """sha256 of what a ``meta.json`` says, but for its own checksum."""
    said = {key: value for key, value in meta.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _write(folder: Path, tables: Tables, meta: dict[str, Any]) -> None:
    partial = partial_name(folder)
    try:
        partial.mkdir(parents=True)
        for name, table in tables.items():
            table.to_parquet(partial / f"{name}.parquet", index=False)
        files = {f"{name}.parquet": sha256(partial / f"{name}.parquet") for name in tables}
        meta = {**meta, "files": files}
        meta["checksum"] = checksum(meta)
        text = json.dumps(meta, indent=1, ensure_ascii=False) + "\n"
        (partial / "meta.json").write_text(text, encoding="utf-8")
        sync(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another process finished the same computation first; its entry is as good as ours.
    except OSError as error:
        # Hours may have gone into it: whoever asked gets it all the same.
        why = os.strerror(error.errno) if error.errno else str(error)  # pyarrow's own words are many
        todo = "make room there, or name another folder in INTERP_RESULTS"
        warnings.warn(f"{UNKEPT} in {folder.parent}: {why}; {todo}", Unkept, stacklevel=3)
    finally:
        remove(partial)


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


@functools.lru_cache(maxsize=512)
def _code(module: str) -> str:
    tree = _tree(module)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # A bare string is a docstring or the note on an attribute.
            kept = [x for x in body if not (isinstance(x, ast.Expr) and isinstance(x.value, ast.Constant))]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return _told(tree)


def _told(code: Any) -> str:
    """A syntax tree as text; how `ast.dump` and `ast.unparse` print one is another matter in every version of Python.

    Fields without content are left out: a later version has some that an earlier one does not know.
    """
    if isinstance(code, ast.AST):
        fields = [f"{k}={_told(v)}" for k, v in ast.iter_fields(code) if v is not None and v != []]
        return f"{type(code).__name__}({', '.join(fields)})"
    return f"[{', '.join(map(_told, code))}]" if isinstance(code, list) else repr(code)


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
        waiting += [f for f in _imported(name) if f.split(".")[0] == package and f not in (package, __name__)]
    return seen


@functools.lru_cache(maxsize=512)
def _imported(module: str) -> tuple[str, ...]:
    """Every name that `module` imports, inside functions too; of ``from a import b`` both ``a`` and ``a.b``."""
    found: list[str] = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)
