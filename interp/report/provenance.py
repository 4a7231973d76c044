"""Where a page's numbers come from."""

from __future__ import annotations

import html
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from interp import store

MIME = "application/vnd.interp.provenance+json"
"""What a chapter's provenance carries along for the execution page."""

LIBRARIES = ("torch", "transformers", "scikit-learn", "numpy", "scipy", "matplotlib", "jupyter-book")


def commit() -> str:
    """The commit the page was made from, with a star if tracked files differed from it."""
    try:
        name = _git("rev-parse", "--short=10", "HEAD")
        return name + ("*" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not under version control"


@cache
def full_commit() -> str:
    """The whole name of the checked-out commit; ``main`` where there is no version control."""
    try:
        return _git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "main"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Python and the libraries that numbers or figures depend on."""
    return {"Python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def provenance(parameters: Mapping[str, Any], seconds: float) -> tuple[str, dict[str, Any]]:
    """The provenance as HTML, and as the plain record that the execution page and the chapter's header use."""
    record = {
        "commit": commit(),
        "parameters": {k: repr(v) for k, v in parameters.items()},
        "subjects and data": sorted(map(_short, {v for u in store.used for v in u.meta["identities"].values()})),
        "identities": {str(u.meta["arguments"][k]): v for u in store.used for k, v in u.meta["identities"].items()},
        "stored": len(store.used),
        "replayed": sum(u.replayed for u in store.used),
        "compute": sum(u.seconds for u in store.used),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "machine": f"{platform.machine()} with {os.cpu_count()} cores",
        "versions": versions(),
    }
    return _html(record), record


def _html(record: Mapping[str, Any]) -> str:
    stored, replayed, compute = (record[k] for k in ("stored", "replayed", "compute"))
    rows = {
        "Commit": record["commit"],
        "Parameters": ", ".join(f"{k} = {v}" for k, v in record["parameters"].items()) or "none",
        "Subjects and data": "; ".join(record["subjects and data"]) or "nothing from outside",
        "Results": f"{stored} stored ({replayed} replayed), {compute:.0f} s to compute when they were made",
        "This page": f"{record['seconds']:.0f} s to execute on {record['machine']}",
        "Versions": ", ".join(f"{k} {v}" for k, v in record["versions"].items()),
    }
    entries = "".join(
        f"<li><code>{html.escape(u.study)}/{html.escape(u.digest)}</code> made {html.escape(u.meta['created'][:10])}, "
        f"{u.seconds:.1f} s: {html.escape(_arguments(u.meta['arguments']))}</li>"
        for u in store.used
    )
    table = "".join(f'<tr><th scope="row">{html.escape(k)}</th><td>{html.escape(v)}</td></tr>' for k, v in rows.items())
    listed = f"<details><summary>Each stored result</summary><ul>{entries}</ul></details>" if entries else ""
    return f'<div class="interp-provenance"><table><tbody>{table}</tbody></table>{listed}</div>'


def _short(identity: str) -> str:
    """A checksum or revision shortened to what identifies it."""
    name, at, revision = identity.partition("@")
    if at:
        commit_, colon, twin = revision.partition(":")
        return f"{name}@{commit_[:10]}{colon}{twin}"
    return f"data sha256 {identity[:12]}" if len(identity) == 64 else identity


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in arguments.items() if v not in (None, []))
