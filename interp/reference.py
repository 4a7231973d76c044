"""Results that are committed: computed where the data and the time were at hand, shown on every machine.

``book/reference/<name>/<entry>/`` holds parquet tables and a ``meta.json`` with the provenance: what was computed, from
what data, at which commit, with which versions, on what machine. `make reference` writes them, and
`tests/test_reference.py` computes a part of them again where the data are.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from interp.errors import InputError
from interp.files import sha256
from interp.profile import project_root
from interp.store import RECORDED, Used


def folder() -> Path:
    """Where reference results lie: ``$INTERP_REFERENCE``, else ``book/reference`` of the checkout."""
    return Path(os.environ.get("INTERP_REFERENCE") or project_root() / "book" / "reference")


def write(
    name: str,
    entry: str,
    tables: Mapping[str, pd.DataFrame],
    *,
    command: str,
    used: Iterable[Used] = (),
    identities: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Write an entry with its provenance; an older one of this name is replaced when the new one is whole.

    Parameters
    ----------
    command
        What computes it.
    used
        The stored results it was made from (see `interp.store.used`): time, subjects and data are theirs.
    identities
        Checksums and revisions of what it was made from besides.
    texts
        Text files of the entry, by name.
    notes
        What else its ``meta.json`` says; takes the place of what would stand there under the same name.
    """
    used = list(used)
    out = folder() / name / entry
    partial = out.with_name(f".{entry}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for table, rows in tables.items():
        _small(rows).to_parquet(partial / f"{table}.parquet", index=False, compression="zstd")
    for file, content in (texts or {}).items():
        (partial / file).write_text(content, encoding="utf-8")
    meta = {
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "seconds": round(sum(u.seconds for u in used), 1),
        "identities": {**{k: v for u in used for k, v in u.meta["identities"].items()}, **(identities or {})},
        **environment(),
        **(notes or {}),
        "files": {path.name: sha256(path) for path in sorted(partial.iterdir())},
    }
    (partial / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return out


def environment() -> dict[str, Any]:
    """The machine and the versions that this process computes with."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, CPU",
        "versions": {"python": platform.python_version(), **{p: metadata.version(p) for p in RECORDED}},
    }


def _small(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers as float32: seven digits are more than an estimate has."""
    return rows.astype(dict.fromkeys(rows.select_dtypes("float64").columns, "float32"))


def commit() -> str:
    """The commit that is checked out."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True, cwd=project_root()
        )
    except (OSError, subprocess.CalledProcessError):
        return "not under version control"
    return done.stdout.strip()


def entries(name: str) -> list[str]:
    """The entries of `name` that are there."""
    return sorted(p.parent.name for p in (folder() / name).glob("[!.]*/meta.json"))


def meta(name: str, entry: str) -> dict[str, Any]:
    """The provenance of an entry.

    Raises
    ------
    InputError
        If it is not there, or a file is not what was written.
    """
    where = folder() / name / entry
    try:
        content = json.loads((where / "meta.json").read_text())
        for file, wanted in content["files"].items():
            if sha256(where / file) != wanted:
                raise InputError(f"reference result {where / file} is not what was written; `git checkout` restores it")
    except (OSError, ValueError) as error:
        raise InputError(f"no reference result {where}: {error}") from None
    return dict(content)


def having(name: str, table: str) -> list[str]:
    """The entries of `name` that have a table."""
    return [e for e in entries(name) if f"{table}.parquet" in meta(name, e)["files"]]


def text(name: str, entry: str, file: str) -> str:
    """A text file of an entry, checked.

    Raises
    ------
    InputError
        If it is not there, or not what was written.
    """
    if file not in meta(name, entry)["files"]:
        raise InputError(f"reference result {folder() / name / entry} has no {file}")
    return (folder() / name / entry / file).read_text(encoding="utf-8")


def load(name: str, table: str = "summary", among: Sequence[str] | None = None) -> pd.DataFrame:
    """One table of all entries of `name` (or of those `among` them), one under the other, checked.

    Raises
    ------
    InputError
        If there is none, or a file is not what was written.
    """
    found = [e for e in having(name, table) if among is None or e in among]
    if not found:
        raise InputError(f"there are no reference results {name!r} with a table {table!r} in {folder()}")
    tables = [pd.read_parquet(folder() / name / e / f"{table}.parquet") for e in found]
    floats = {c: "float64" for t in tables for c in t.select_dtypes("float32").columns}
    return pd.concat(tables, ignore_index=True).astype(floats)


def sources(name: str) -> pd.DataFrame:
    """Where the entries of `name` come from: one row an entry."""
    rows = []
    for entry in entries(name):
        m = meta(name, entry)
        rows.append({"result": entry, "made": m["created"][:10], "commit": m["commit"], "hours": m["seconds"] / 3600})
    return pd.DataFrame(rows)


def made() -> dict[str, dict[str, Any]]:
    """The provenance of every entry there is, by ``name/entry``."""
    names = sorted(p.name for p in folder().glob("[!.]*") if p.is_dir())
    return {f"{name}/{entry}": meta(name, entry) for name in names for entry in entries(name)}
