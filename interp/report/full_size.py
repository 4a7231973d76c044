"""Chapters at full size: executed once with all texts and the human norms, kept, and shown beside every build.

``book/reference/chapters/<subject>-<chapter>/`` holds what such a run found: the verdicts it filed, the numbers and
words it named for its prose, and the figures that decide. Aggregates only: no text and no norm is among them.
"""

from __future__ import annotations

import html
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from interp import claims, notebook, profile, reference
from interp.claims import ledger
from interp.claims.judging import told
from interp.report import chapters, executed, svg
from interp.report.parameters import shown
from interp.store import Tables
from interp.subjects.catalogue import Name
from interp.verification import Compared, compared

NAME = "chapters"
"""Folder of these results in ``book/reference``."""

PROFILE = "norms"
"""The profile with all texts and the human norms."""

COSTS = ("runtime", "compute")
"""What a chapter glues of its own cost: another number in every run."""


@dataclass(frozen=True)
class Shown:
    """What the book shows of a chapter's run at full size."""

    figures: tuple[str, ...] = ()
    """Keys of the figures that decide."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """What numbers and words mean, by the name under which the chapter glues them."""


@cache
def plan() -> dict[str, Shown]:
    """The chapters that are run at full size (``full_size.yml``)."""
    content = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))
    return {name: Shown(tuple(e.get("figures", ())), dict(e["numbers"])) for name, e in content.items()}


def make(chapter: str, profile_name: str = PROFILE) -> Path:
    """Execute a chapter and write what it found; stored results are replayed, so that an interrupted run goes on.

    Raises
    ------
    InputError
        Where the chapter, its data or the profile is not there.
    """
    values = _values(chapter, profile_name)
    tables, figures, run = _executed(chapter, values)
    return reference.write(
        NAME,
        f"{values['subject']}-{chapter}" if "subject" in values else chapter,
        tables,
        command=f"make reference ONLY={entry_name(chapter)}",
        identities=run["identities"],
        texts={f"{key}.html": content for key, content in figures.items()},
        notes={
            "chapter": chapter,
            "profile": profile_name,
            "parameters": values,
            "seconds": round(run["compute"], 1),
            "commit": run["commit"],
        },
    )


def entry_name(chapter: str) -> str:
    """What a chapter at full size is called in `make reference ONLY=`."""
    return f"chapter-{chapter}"


KEYS = {"numbers": ("name",), "verdicts": ("reading", "subject", "data", "mapping")}
"""What tells the rows of each table apart."""


def again(entry: str) -> Compared:
    """A chapter executed anew with the parameters of its entry, beside what is committed."""
    known = reference.meta(NAME, entry)
    fresh, _, _ = _executed(known["chapter"], known["parameters"])
    return compared("everything", [(fresh[t], reference.load(NAME, t, [entry]), KEYS[t]) for t in fresh])


def _values(chapter: str, profile_name: str) -> dict[str, Any]:
    """Every parameter of the chapter in a profile, those that keep their default included."""
    known = chapters.parameters(chapter)
    return {**known, **profile.load(profile_name).of(chapter, known)}


def _executed(chapter: str, values: Mapping[str, Any]) -> tuple[Tables, dict[str, str], dict[str, Any]]:
    """Execute a chapter in a temporary folder: its tables, its figures by key, its provenance."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{chapter}.ipynb"
        chapters.execute(chapter, values, path)
        figures = {key: executed.figure(path, key) for key in plan()[chapter].figures}
        return _tables(path), figures, executed.records(path.parent)[chapter]


def _tables(path: Path) -> Tables:
    """``numbers`` (name, value or text) of an executed chapter, and its ``verdicts`` where it judges a reading."""
    glued = {k: v for k, v in notebook.glued(path).items() if k not in COSTS}
    rows = [
        {"name": k, "value": None, "text": v} if isinstance(v, str) else {"name": k, "value": v}
        for k, v in glued.items()
    ]
    numbers = pd.DataFrame(rows, columns=["name", "value", "text"]).astype({"value": "float64", "text": "object"})
    judged = ledger.of_chapter(path)
    return {"numbers": numbers} | ({"verdicts": judged.drop(columns="source")} if len(judged) else {})


def section(
    chapter: str, named: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]
) -> str:
    """What a chapter tells of its run at full size, as HTML.

    Parameters
    ----------
    named, judged
        The numbers and words that this build glued, and the verdicts it filed.
    parameters
        Of this build: those that say of what and of how much.
    """
    entry = _entry(chapter)
    if entry is None:
        command = f"make reference ONLY={entry_name(chapter)}"
        return (
            '<p class="interp-reference">This chapter has not been computed at full size yet (profile '
            f"<code>{PROFILE}</code>); <code>{command}</code> does it.</p>"
        )
    known = reference.meta(NAME, entry)
    differ = {k: v for k, v in parameters.items() if known["parameters"].get(k, v) != v}
    parts = [_source(known)]
    if differ:
        parts.append(_parameters(differ, known["parameters"]))
    else:
        parts.append(
            "<p>This build has the size of that run: the columns should say the same, and the figures are above.</p>"
        )
    parts += [_outcomes(entry, judged), _numbers(entry, plan()[chapter].numbers, named)]
    if differ:
        parts += [_figure(entry, key) for key in plan()[chapter].figures]
    return "".join(parts)


def _entry(chapter: str) -> str | None:
    """The entry of a chapter, if it has been computed."""
    return next((e for e in reference.entries(NAME) if reference.meta(NAME, e)["chapter"] == chapter), None)


def _source(known: Mapping[str, Any]) -> str:
    seconds = known["seconds"]
    unit, length = next((u, n) for u, n in (("hours", 3600), ("minutes", 60), ("seconds", 1)) if seconds >= n or n == 1)
    made = f"profile {known['profile']}, {known['created'][:10]}, commit {known['commit']}"
    return (
        f'<p class="interp-reference">Reference result: {html.escape(made)}, {seconds / length:.1f} {unit} to compute '
        f"({html.escape(known['machine'])}). "
        f"<code>{html.escape(known['command'])}</code> computes it anew.</p>"
    )


def _parameters(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    from interp.report.page import table_html

    rows = [{"parameter": k, "here": shown(v), "at full size": shown(there[k])} for k, v in here.items()]
    return table_html(pd.DataFrame(rows), "full-size", caption="What this build and the run at full size differ in.")


def _outcomes(entry: str, judged: Sequence[Mapping[str, Any]]) -> str:
    """The outcomes of the trained subjects, here and at full size."""
    from interp.report.page import table_html

    if entry not in reference.having(NAME, "verdicts"):
        return ""
    there = reference.load(NAME, "verdicts", [entry])
    statement = {r.id: r.statement for r in claims.readings()}
    mine, full = _told(judged), _told(there.to_dict("records"))
    rows = [{"reading": statement[r], "here": mine.get(r, "–"), "at full size": full[r]} for r in full]
    return table_html(
        pd.DataFrame(rows), "full-size-outcomes", caption="Outcomes here and at full size, with the same rules."
    )


def _told(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Outcomes in words by reading, of the first body of evidence that is no untrained twin."""
    found: dict[str, str] = {}
    for row in rows:
        if Name.parse(row["subject"]).twin is None:
            fields: dict[str, Any] = {k: float("nan") if row[k] is None else row[k] for k in ledger.JUDGED}
            found.setdefault(row["reading"], told(claims.Verdict(**fields)))
    return found


def _numbers(entry: str, meanings: Mapping[str, str], named: Mapping[str, Any]) -> str:
    from interp.report.page import table_html

    table = reference.load(NAME, "numbers", [entry]).set_index("name")
    there = table["text"].where(table["text"].notna(), table["value"]).to_dict()
    rows = [
        {"what": meaning, "here": _cell(named.get(name)), "at full size": _cell(there.get(name))}
        for name, meaning in meanings.items()
    ]
    return table_html(
        pd.DataFrame(rows), "full-size-numbers", caption="What the text above says, here and at full size."
    )


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:z.2f}"


def _figure(entry: str, key: str) -> str:
    """A figure of the entry as it can stand beside the page's own of the same key."""
    drawn = svg.prefixed(reference.text(NAME, entry, f"{key}.html"), "full-size")
    drawn = drawn.replace(f'aria-label="figure {key}"', f'aria-label="figure {key}, at full size"')
    return drawn.replace("<figcaption>", "<figcaption><strong>At full size.</strong> ", 1)
