"""Put the executed chapters where the launch buttons look for them: into a checkout of the branch `published`.

Each notebook gets a first cell that makes it run on a machine that has only the notebook (Colab): it clones the branch
and installs the package. Inside a checkout (Binder, Jupyter) that cell does nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]

SETUP = """\
# On a machine that has only this notebook: get the rest of the book, and the package.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("interp") is None:
    subprocess.run(["git", "clone", "--depth", "1", "--branch", "{branch}", "{url}", "book"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./book[book]"], check=True)
    os.chdir("book")
"""


def publish(chapters: Path, checkout: Path) -> list[Path]:
    """Write every executed chapter of a folder to its place in a checkout; gives these places."""
    written = []
    for path in sorted(chapters.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(SETUP.format(**CONFIG), id="setup"))
        place = Path("book") / "chapters" / path.name
        (checkout / place).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, checkout / place)
        written.append(place)
    return written


if __name__ == "__main__":
    found = publish(ROOT / "book" / "chapters", Path(sys.argv[1]))
    print(f"{len(found)} notebooks for the branch {CONFIG['branch']}")
