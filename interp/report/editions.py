"""Where a book lies: the default one in the checkout itself, one for another subject in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from interp.errors import InputError
from interp.profile import project_root
from interp.report import contents
from interp.report.slug import slug

PRODUCTS = ("chapters", "views")
"""Folders of ``book`` that are products of a run, and no pages."""


def is_page(path: Path) -> bool:
    """Whether a file of ``book`` belongs to the pages: no product of a run, and no temporary name."""
    return not any(part in (*PRODUCTS, "__pycache__") or part.startswith(".") for part in path.parts)


@dataclass(frozen=True)
class Edition:
    """The book for one subject. All paths are relative to the checkout."""

    subject: str | None = None
    """None is the default book: the subjects are those of the profile."""

    @property
    def source(self) -> Path:
        """What Sphinx reads: the checkout, or a copy of its pages."""
        return Path() if self.subject is None else self._folder / "source"

    @property
    def chapters(self) -> Path:
        """The executed chapters."""
        return self.source / "book" / "chapters"

    @property
    def html(self) -> Path:
        """The built book."""
        return Path("_build") / "html" if self.subject is None else self._folder / "html"

    @property
    def _folder(self) -> Path:
        return Path("_build") / "books" / slug(str(self.subject))

    def prepare(self) -> None:
        """Copy the pages; say on each for whom the book is. Forks stay out, as each has a subject of its own."""
        if self.subject is None:
            return
        root, target = project_root(), project_root() / self.source
        shutil.copytree(
            root / "book",
            target / "book",
            ignore=shutil.ignore_patterns(*PRODUCTS, "__pycache__", ".*"),
            dirs_exist_ok=True,
        )
        config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
        theme = config["sphinx"]["config"]["html_theme_options"]
        name = slug(self.subject)
        config["title"] = theme["logo"]["text"] = f"{config['title']}: {name}"
        theme["announcement"] = (
            f"The book for <strong>{name}</strong>: figures, numbers and verdicts are of this subject; sentences that "
            "interpret were written for the default one."
        )
        toc = contents.without_forks(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))
        for file, content in (("_config.yml", config), ("_toc.yml", toc)):
            (target / file).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def edition(given: Mapping[str, Any]) -> Edition:
    """The edition that parameters of the command line ask for.

    Raises
    ------
    InputError
        For a subject that is no name.
    """
    subject = given.get("subject")
    if subject is None:
        return Edition()
    if not isinstance(subject, str) or not slug(subject):
        raise InputError(f"subject {subject!r}: a short name, org/name@COMMIT or a folder")
    return Edition(subject)
