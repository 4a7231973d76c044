"""Forks: a chapter for another subject, other norms or other parameters, as a chapter of its own.

A fork is a notebook beside the others, a line under *Forks* in ``_toc.yml`` and an entry in every profile, so that all
that works on a chapter works on it. Making one and removing it leaves every file as it was.
"""

from __future__ import annotations

import ast
import contextlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp import profile as profiles
from interp.errors import InputError
from interp.files import alone, replacing, write_texts
from interp.profile import project_root
from interp.registry import unknown
from interp.report import chapters, contents, yaml_lines
from interp.report.slug import slug

LONGEST_TITLE = 150
NAMES = ("subject", "norms", "norm_set")
"""Parameters that say what a chapter is about; the others say how much of it."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#$&|~!^\"+=@%])")


@dataclass(frozen=True)
class Fork:
    """A fork that was made."""

    name: str
    chapter: str
    """What it is a fork of."""
    title: str
    values: Mapping[str, Any]
    """The parameters in which it differs."""


def make(
    chapter: str,
    *,
    subject: str | None = None,
    norms: str | None = None,
    given: Mapping[str, Any] | None = None,
    title: str = "",
    check: bool = True,
) -> Fork:
    """Write a fork of `chapter` and enter it in the table of contents and the profiles.

    Parameters
    ----------
    subject, norms
        As elsewhere; a path is taken from the current folder, and written relative to the checkout if it lies inside.
    given
        Other parameters of the chapter.
    title
        Plain text; by default the chapter's title with what differs. The fork's name is made of it.
    check
        Execute it on the profile `smoke` first, and make nothing where that fails.

    Raises
    ------
    InputError
        Where the chapter does not have the parameter, a value or the title is no good, there is a chapter of this name
        already, or the fork does not execute.
    """
    known = chapters.parameters(chapter)
    values = _values(chapter, known, subject, norms, given or {})
    original = chapters.title(chapter)
    told = [x for x in (subject, norms) if x] or [f"{k} {_shown(v)}" for k, v in values.items()]
    named = _plain(title) or f"{original}: {', '.join(told)}"[:LONGEST_TITLE]
    short = [chapter, *(Path(x.split("@")[0]).stem if x == norms else _short(x) for x in (subject, norms) if x)]
    name = slug(title) or slug("-".join(short if len(short) > 1 else [chapter, *values]))
    fork = Fork(name, chapter, named, values)
    with _alone():
        if name in contents.forks():
            raise InputError(f"there is a fork {name!r} already: give this one another --title, or --remove that one")
        if name in chapters.names():
            raise InputError(f"there is a chapter {name!r} already: give this one another --title")
        before = {path: path.read_bytes() for path in _shared()}
        try:
            write_texts(_entered(fork, original))
            chapters.check(profiles.load("smoke"))
            if check:
                execute(fork)
        except BaseException as error:
            _notebook_of(name).unlink(missing_ok=True)
            for path, content in reversed(before.items()):
                if path.read_bytes() != content:
                    with replacing(path) as partial:
                        partial.write_bytes(content)
            if check and isinstance(error, InputError):
                raise InputError(f"no fork was made: {error}; --no-check makes one unexecuted") from None
            raise
    return fork


def _alone() -> contextlib.AbstractContextManager[None]:
    """All forks are entered in the same files: one at a time."""
    return alone(project_root() / "_build" / "forks.lock", "interp fork")


def _notebook_of(name: str) -> Path:
    return project_root() / "notebooks" / f"{name}.md"


def execute(fork: Fork) -> float:
    """Execute a fork on the profile `smoke`, the page thrown away; gives the seconds it took."""
    values = profiles.load("smoke").of(fork.name, chapters.parameters(fork.name))
    with tempfile.TemporaryDirectory() as scratch:
        return chapters.execute(fork.name, values, Path(scratch) / f"{fork.name}.ipynb")


def remove(name: str) -> None:
    """Take a fork back: its notebook, its executed page and views, its entries.

    Raises
    ------
    InputError
        For a name that is no fork; the book's own chapters are never removed.
    """
    if name not in contents.forks() or slug(name) != name:
        raise InputError(unknown("fork", name, contents.forks()))
    book = project_root() / "book"
    with _alone():
        texts = {}
        for path in profiles.files():
            text = path.read_text(encoding="utf-8")
            for key, value in yaml_lines.block(text, str(path), "chapters").value:
                if key.value == name:
                    texts[path] = yaml_lines.cut(text, yaml_lines.start(key), yaml_lines.end(value))
        write_texts(texts)
        left = [_notebook_of(name), book / "chapters" / f"{name}.ipynb"]
        for path in [*left, *(book / "_static" / "views").glob(f"{name}--*.html")]:
            path.unlink(missing_ok=True)
        # Last: as long as it stands there, a removal that was killed can be done again.
        toc = contents.path()
        write_texts({toc: contents.without_fork(toc.read_text(encoding="utf-8"), name)})


def _values(
    chapter: str, known: Mapping[str, Any], subject: str | None, norms: str | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters a fork sets, in the form the chapter takes them."""
    values: dict[str, Any] = {}
    if subject is not None:
        values["subject"] = _subject(subject)
    if norms is not None:
        key = "norm_set" if "norm_set" in known else "norms"
        one = _norms(norms)
        values[key] = [one] if isinstance(known.get(key), list) else one
    values |= given
    if not values:
        raise InputError("a fork differs in something: say --subject, --norms or --set")
    for key, value in values.items():
        chapters.check_parameter(f"chapter {chapter}", known, key, value)
    return values


def _subject(name: str) -> str:
    from interp.subjects import SUBJECTS, identify
    from interp.subjects.catalogue import Name

    identify(name)
    base = Name.parse(name).base
    if base in SUBJECTS or not Path(base).is_dir():
        return name
    return _from_root(Path(base)) + name[len(base) :]


def _norms(name: str) -> str:
    from interp import norms

    if name in norms.NORMS:
        return name
    norms.load(name)
    return _from_root(Path(name))


def _from_root(path: Path) -> str:
    """A path as chapters see it, which run in the checkout's root."""
    whole, root = path.resolve(), project_root().resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def _short(subject: str) -> str:
    """What tells a subject from others in a file's name: no owner, no folder, no commit."""
    base, *twin = subject.rstrip("/").split(":")
    return "-".join([base.split("@")[0].rsplit("/", 1)[-1], *twin])


def _plain(title: str) -> str:
    """A title in one line of printable characters."""
    text = " ".join(title.split())
    if not text.isprintable() or len(text) > LONGEST_TITLE:
        raise InputError(f"--title: at most {LONGEST_TITLE} printable characters")
    return text


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is: nothing in it is markup, a role, HTML or mathematics.

    Examples
    --------
    >>> print(escaped("a_b <i> {x}"))
    a\_b \<i\> \{x\}
    """
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _notebook(fork: Fork, original: str) -> str:
    """The chapter's text with another heading, a note where it comes from, and its parameters set."""
    notebook = chapters.read(fork.chapter)
    head = notebook.cells[0]
    rest = head.source.split("\n", 1)[1]
    differs = "; ".join(f"{escaped(k)}: {escaped(_shown(v))}" for k, v in fork.values.items())
    note = (
        f":::{{note}}\nA fork of [{escaped(original)}]({fork.chapter}) by `interp fork`, with {differs}. Figures, "
        "numbers and verdicts are its own; sentences that interpret were written for the original.\n:::"
    )
    head.source = f"# {escaped(fork.title)}\n\n{note}\n{rest}"
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            cell.source = _with_values(cell.source, fork.values)
    return chapters.written(notebook)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _with_values(source: str, values: Mapping[str, Any]) -> str:
    """The cell of parameters with other literals."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in values:
            name = node.targets[0].id
            lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {_literal(values[name])}"]
    return "\n".join(lines)


def _literal(value: Any) -> str:
    """Python's spelling, with the double quotes that the chapters have."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str) and repr(value)[0] == "'" and '"' not in value:
        return f'"{repr(value)[1:-1]}"'
    return repr(value)


def _shared() -> list[Path]:
    return [contents.path(), *profiles.files()]


def _entered(fork: Fork, original: str) -> dict[Path, str]:
    """The table of contents and the profiles with the fork in them, and its notebook.

    In each profile it runs as the original does there, but for what it sets itself. `smoke` keeps its small numbers.
    """
    # The table of contents first: a fork that stands there can be removed, whatever else was written before a kill.
    texts = {contents.path(): contents.with_fork(contents.path().read_text(encoding="utf-8"), fork.name)}
    texts[_notebook_of(fork.name)] = _notebook(fork, original)
    for path in profiles.files():
        text = path.read_text(encoding="utf-8")
        own = profiles.load(str(path)).chapters.get(fork.chapter) or {}
        small = {k: v for k, v in own.items() if k not in NAMES} if path.stem == "smoke" else {}
        at = yaml_lines.end(yaml_lines.block(text, str(path), "chapters"))
        texts[path] = yaml_lines.insert(text, at, {fork.name: {**own, **fork.values, **small}}, 2)
    return texts
