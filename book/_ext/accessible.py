"""Mend what the theme and its extensions write and a screen reader stumbles over.

Each entry is a fault that axe-core finds (`tests/test_accessibility.py`) and what stands in its place. The theme has
no setting for any of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

REPAIRS = {
    # The button reads "Search Ctrl+K"; a name of its own that says less hides the rest.
    'title="Search" aria-label="Search" data-bs-placement': 'title="Search" data-bs-placement',
    # The line says "Show the code"; so must its name.
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # The arrow beside a chapter with pages below it has no words.
    '<summary><span class="toctree-toggle"': '<summary aria-label="Pages below"><span class="toctree-toggle"',
    # A list whose children are no list items is none.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
}


def mend(app: Any, exception: Exception | None) -> None:
    """Repair every page of a finished build."""
    if exception or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        if "_static" in path.parts:
            continue
        text = mended = path.read_text(encoding="utf-8")
        for fault, repair in REPAIRS.items():
            mended = mended.replace(fault, repair)
        if mended != text:
            path.write_text(mended, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("build-finished", mend)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
