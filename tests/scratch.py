"""A checkout to try things in: the files of this one, its environment, nothing it has built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

AUTHOR = {f"GIT_{who}_{what}": "tester@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def checkout(path: Path) -> Path:
    """Copy what git knows or would add, under version control of its own, with the environment that runs this."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, found.split("\0")):
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)
    (path / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".installed":
            (path / ".venv" / part.name).symlink_to(part)
    (path / ".venv" / ".installed").write_text("")  # newer than the lock: make has nothing to install
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "scratch"]):
        subprocess.run(["git", *command], cwd=path, check=True, env={**os.environ, **AUTHOR})
    return path


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a reader's shell has set in `folder`, with the environment activated."""
    env = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", **AUTHOR}
    env["PATH"] = f"{folder / '.venv' / 'bin'}:{env['PATH']}"
    # Not what the make that runs the tests hands down either.
    own = ("INTERP_RESULTS", "INTERP_ROOT", "INTERP_VIEWS", "INTERP_CHAPTER", "INTERP_REQUIRE")
    for name in (*own, "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV", "LOCK"):
        env.pop(name, None)
    return {**env, **more}


def run(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command line as a reader types it in `folder`."""
    env = environment(folder, **more)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def status(folder: Path) -> list[str]:
    """What git sees as changed or new."""
    done = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


SMALL = {
    "notebooks/counting.md": """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Counting

Up to {glue:text}`last`.

```{code-cell}
:tags: [parameters]

rounds = 40
```

```{code-cell}
import time

import pandas as pd

from interp import report, store

report.begin()


@store.study("counting", identities={})
def counted(*, number: int):
    time.sleep(0.25)
    return {"counted": pd.DataFrame({"number": range(number, number + 5000)})}


for number in range(rounds):
    last = int(counted(number=number)["counted"]["number"].iloc[0])
report.glue(last=last)
```

```{code-cell}
report.end(rounds=rounds)
```
""",
    "config/smoke.yml": "description: a chapter that counts, a quarter of a second a number\nchapters:\n  counting:\n",
    "_toc.yml": "format: jb-book\nroot: book/start\nparts:\n  - caption: One\n    chapters:\n"
    "      - file: book/chapters/counting\n",
    "book/start.md": "# Start\n\nOne chapter.\n\n```{include} chapters/ledger.txt\n```\n\n```{bibliography}\n```\n",
}
"""Files of a book of one chapter that computes nothing of interest, result by result."""


def small_book(path: Path) -> Path:
    """A checkout whose book is `SMALL`: the machinery is the same for all, and it takes seconds."""
    here = checkout(path)
    for old in [*(here / "notebooks").glob("*.md"), *(here / "config").glob("*.yml"), *(here / "book").glob("*.md")]:
        old.unlink()
    shutil.rmtree(here / "book" / "reference")
    shutil.rmtree(here / "tests")
    for name, text in SMALL.items():
        (here / name).write_text(text, encoding="utf-8")
    return here
