"""The table of contents, ``_toc.yml``: its part of forks, read and changed line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from interp.profile import project_root
from interp.report import yaml_lines

PART = "Forks"
"""The caption of the part that lists them; a chapter is a fork if it stands there."""


def path() -> Path:
    """The file."""
    return project_root() / "_toc.yml"


def pages() -> list[str]:
    """Every page in the order of the book, as the table of contents names it (``book/chapters/residual-mixing``)."""
    content = yaml.safe_load(path().read_text(encoding="utf-8"))
    return [content["root"], *(page for part in content["parts"] for page in _pages(part["chapters"]))]


def _pages(entries: list[dict[str, Any]]) -> list[str]:
    """Each entry and what stands under it."""
    return [page for entry in entries for page in (entry["file"], *_pages(entry.get("sections", [])))]


def chapters() -> list[str]:
    """Every chapter that is executed, in the order of the book."""
    return [Path(page).name for page in pages() if Path(page).parent.name == "chapters"]


def forks() -> list[str]:
    """The chapters that `interp fork` made."""
    return [
        Path(chapter["file"]).name
        for part in yaml.safe_load(path().read_text(encoding="utf-8"))["parts"]
        if part.get("caption") == PART
        for chapter in part["chapters"]
    ]


def with_fork(text: str, name: str) -> str:
    """`text` with a fork more."""
    entry = {"file": f"book/chapters/{name}"}
    parts = yaml_lines.block(text, "_toc.yml", "parts")
    part = _part(parts)
    if part is None:
        return yaml_lines.insert(text, yaml_lines.end(parts), [{"caption": PART, "chapters": [entry]}], 2)
    chapters = yaml_lines.find(part, "chapters")
    assert chapters is not None
    return yaml_lines.insert(text, yaml_lines.end(chapters), [entry], int(chapters.start_mark.column))


def without_fork(text: str, name: str) -> str:
    """`text` without the fork; without the part, too, where it was the last."""
    part = _part(yaml_lines.block(text, "_toc.yml", "parts"))
    chapters: Any = yaml_lines.find(part, "chapters")
    if len(chapters.value) == 1:
        assert part is not None
        return yaml_lines.cut(text, yaml_lines.start(part), yaml_lines.end(part))
    (entry,) = (c for c in chapters.value if Path(yaml_lines.find(c, "file").value).name == name)  # type: ignore[union-attr]
    return yaml_lines.cut(text, yaml_lines.start(entry), yaml_lines.end(entry))


def without_forks(content: dict[str, Any]) -> dict[str, Any]:
    """A table of contents, as read, without its part of forks."""
    return {**content, "parts": [part for part in content["parts"] if part.get("caption") != PART]}


def _part(parts: yaml.CollectionNode) -> yaml.Node | None:
    for part in parts.value:
        caption = yaml_lines.find(part, "caption")
        if caption is not None and caption.value == PART:
            return part
    return None
