"""Where a page's numbers come from."""

from __future__ import annotations

import html
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from interp import store

LIBRARIES = ("torch", "transformers", "scikit-learn", "numpy", "scipy", "matplotlib", "jupyter-book")


def commit() -> str:
    """The commit the page was made from, with a star if tracked files differed from it."""
    try:
        name = _git("rev-parse", "--short=10", "HEAD")
        return name + ("*" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not under version control"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Python and the libraries that numbers or figures depend on."""
    return {"Python": platform.python_version(), **{name: metadata.version(name) for name in LIBRARIES}}


def provenance(parameters: Mapping[str, Any], seconds: float) -> tuple[str, dict[str, Any]]:
    """The provenance as HTML, and the numbers a chapter's header glues (`runtime`, `compute`)."""
    identities = {v for u in store.used for v in u.meta["identities"].values()}
    replayed = sum(u.replayed for u in store.used)
    compute = sum(u.seconds for u in store.used)
    rows = {
        "Commit": commit(),
        "Parameters": ", ".join(f"{k} = {v!r}" for k, v in parameters.items()) or "none",
        "Subjects and data": "; ".join(sorted(map(_short, identities))) or "nothing from outside",
        "Results": f"{len(store.used)} stored ({replayed} replayed), {compute:.0f} s to compute when they were made",
        "This page": f"{seconds:.0f} s to execute on {platform.machine()} with {os.cpu_count()} cores",
        "Versions": ", ".join(f"{k} {v}" for k, v in versions().items()),
    }
    entries = "".join(
        f"<li><code>{html.escape(u.study)}/{html.escape(u.digest)}</code> made {html.escape(u.meta['created'][:10])}, "
        f"{u.seconds:.1f} s: {html.escape(_arguments(u.meta['arguments']))}</li>"
        for u in store.used
    )
    table = "".join(f'<tr><th scope="row">{html.escape(k)}</th><td>{html.escape(v)}</td></tr>' for k, v in rows.items())
    stored = f"<details><summary>Each stored result</summary><ul>{entries}</ul></details>" if entries else ""
    content = f'<div class="interp-provenance"><table><tbody>{table}</tbody></table>{stored}</div>'
    return content, {"runtime": seconds, "compute": compute}


def _short(identity: str) -> str:
    """A checksum or revision shortened to what identifies it."""
    name, at, revision = identity.partition("@")
    if at:
        commit_, colon, twin = revision.partition(":")
        return f"{name}@{commit_[:10]}{colon}{twin}"
    return f"data sha256 {identity[:12]}" if len(identity) == 64 else identity


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in arguments.items() if v not in (None, []))
