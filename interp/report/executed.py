"""What executed chapters hold for pages that are not executed: a figure, and the record of every run."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interp import notebook
from interp.errors import InputError
from interp.report.provenance import MIME


def figure(path: Path, key: str) -> str:
    """The HTML of the figure `key` (``#fig-KEY``) of an executed chapter.

    Raises
    ------
    InputError
        If the chapter has no such figure.
    """
    for data in notebook.outputs(path):
        content = "".join(data.get("text/html", ""))
        found = re.search(rf'<figure class="interp-figure" id="fig-{re.escape(key)}">.*?</figure>', content, re.DOTALL)
        if found:
            return found.group()
    raise InputError(f"{path} has no figure {key!r}; execute the chapter again")


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """The provenance of each executed chapter of a folder.

    Raises
    ------
    InputError
        For a chapter that ends without provenance.
    """
    found = {}
    for path in sorted(folder.glob("*.ipynb")):
        filed = notebook.filed(path, MIME)
        if not filed:
            raise InputError(f"{path} has no provenance; execute the chapter again")
        found[path.stem] = filed[-1]
    return found


def execution_html(
    runs: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str], chapters: str = "chapters/"
) -> str:
    """The execution page: one row a chapter, and below them the machines and the versions that they ran with.

    Parameters
    ----------
    runs
        As `records` gives them.
    titles
        Of the chapters, by name; rows stand in its order.
    chapters
        Where the pages of the chapters lie, seen from the page that shows this.
    """
    rows = [
        [
            f'<a href="{chapters}{html.escape(name)}.html">{html.escape(titles[name])}</a>',
            f'<span class="short">{html.escape(run["finished"].replace("T", " ")[:16])}</span>',
            f"{run['seconds']:.0f} s",
            f"{run['compute']:.0f} s",
            f"{run['stored']} ({run['replayed']} replayed)",
            html.escape(run["commit"]),
            html.escape(", ".join(_subjects(run["subjects and data"])) or "–"),
        ]
        for name, run in ((name, runs[name]) for name in titles)
    ]
    head = ["chapter", "executed (UTC)", "executing", "computing", "stored results", "commit", "subjects"]
    total = sum(run["seconds"] for run in runs.values()) / 60
    computing = sum(run["compute"] for run in runs.values()) / 60
    caption = (
        f"{len(runs)} chapters, executed in {total:.1f} minutes in all; the results they show took "
        f"{computing:.1f} minutes to compute when they were made. A result that two chapters show counts for both."
    )
    machines = _table("machines", "What the chapters ran on.", ["machine", "chapters"], _grouped(runs, "machine"))
    versions = [
        [html.escape(library), html.escape(", ".join(sorted({run["versions"][library] for run in runs.values()})))]
        for library in dict.fromkeys(library for run in runs.values() for library in run["versions"])
    ]
    return (
        _table("execution", caption, head, rows)
        + machines
        + _table("versions", "What numbers and figures depend on.", ["library", "version"], versions)
    )


def _subjects(identities: Iterable[str]) -> list[str]:
    """The subjects by their last name, without what was done to them; whole identities are at the end of a chapter."""
    named = (name for name in identities if not name.startswith("data "))
    return sorted({name.partition("@")[0].rpartition("/")[2] for name in named})


def _grouped(runs: Mapping[str, Mapping[str, Any]], key: str) -> list[list[str]]:
    """The different values of a key, each with the number of chapters that have it."""
    values = [str(run[key]) for run in runs.values()]
    return [[html.escape(value), str(values.count(value))] for value in dict.fromkeys(values)]


def _table(key: str, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    columns = "".join(f'<th scope="col">{title}</th>' for title in head)
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>" for row in rows
    )
    return (
        f'<figure class="interp-table" id="tab-{key}"><figcaption>{html.escape(caption)}</figcaption>'
        f'<div class="interp-scroll" tabindex="0" role="group" aria-label="table {key}"><table>'
        f"<thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div></figure>"
    )
