"""The ledger as HTML: what came out for each claim, at a glance, and every reading beneath it."""

from __future__ import annotations

import html
from collections.abc import Iterable

import pandas as pd

from interp.claims import CLAIMS, JUDGED_ON, Reading, readings
from interp.claims.ledger import BODY
from interp.resampling import with_interval
from interp.subjects.catalogue import Name

GLYPHS = {"holds": "✓", "partly": "◐", "fails": "✕", "undecided": "?", "not run": "–"}
"""Outcomes can be told apart without colour."""

PLURAL = {"holds": "hold", "fails": "fail"}


def ledger_html(ledger: pd.DataFrame, chapters: str = "chapters/") -> str:
    """The table of claims with the number of readings by outcome, and one section a claim that opens.

    Parameters
    ----------
    ledger
        As `interp.claims.ledger.ledger` gives it.
    chapters
        Where the pages of the chapters lie, seen from the page that shows this.
    """
    everything = readings()
    glance = "".join(_glance(claim, ledger[ledger["claim"] == claim]) for claim in CLAIMS)
    sections = "".join(
        _section(claim, ledger[ledger["claim"] == claim], [r for r in everything if r.claim == claim], chapters)
        for claim in CLAIMS
    )
    legend = " ".join(_chip(outcome) for outcome in GLYPHS)
    return (
        f'<p class="interp-legend">{legend}</p>'
        '<figure class="interp-table" id="tab-glance"><figcaption>Readings by outcome. Here: this build. Reference: '
        "the human norm sets, computed once and committed. Untrained twins are left out.</figcaption>"
        '<div class="interp-scroll" tabindex="0" role="group" aria-label="outcomes by claim"><table><thead><tr>'
        '<th scope="col">claim</th><th scope="col">the paper says</th><th scope="col">here</th>'
        f'<th scope="col">reference</th></tr></thead><tbody>{glance}</tbody></table></div></figure>'
        f'<div class="interp-claims">{sections}</div>'
    )


def _glance(claim: str, rows: pd.DataFrame) -> str:
    trained = rows[~rows["subject"].map(_is_twin)]
    here, known = (_counts(trained.loc[trained["source"] == s, "outcome"]) for s in ("build", "reference"))
    statement = html.escape(CLAIMS[claim].statement)
    return (
        f'<tr><th scope="row"><a href="#claim-{claim}">{claim}</a></th><td>{statement}</td>'
        f"<td>{here}</td><td>{known}</td></tr>"
    )


def _is_twin(subject: str) -> bool:
    """Whether a body's subject is an untrained twin; a reading that was not run has none."""
    return bool(subject) and Name.parse(subject).twin is not None


def _counts(outcomes: Iterable[str]) -> str:
    found = pd.Series(list(outcomes), dtype=object).value_counts()
    return " ".join(_chip(o, int(found[o])) for o in GLYPHS if o in found) or "–"


def _chip(outcome: str, count: int | None = None) -> str:
    told = outcome if count is None else f"{count} {PLURAL.get(outcome, outcome) if count > 1 else outcome}"
    mark = f'<span aria-hidden="true">{GLYPHS[outcome]}</span>'
    return f'<span class="interp-chip" data-outcome="{outcome}">{mark} {told}</span>'


def _section(claim: str, rows: pd.DataFrame, readings_of: list[Reading], chapters: str) -> str:
    bodies = rows.loc[rows["source"] != "", BODY].drop_duplicates()
    head = "".join(f'<th scope="col">{_body(*body)}</th>' for body in bodies.itertuples(index=False, name=None))
    outcomes = rows.set_index(["reading", *BODY])
    lines = ""
    for reading in readings_of:
        cells = ""
        for body in bodies.itertuples(index=False, name=None):
            key = (reading.id, *body)
            cells += f"<td>{_cell(outcomes.loc[[key]].iloc[0]) if key in outcomes.index else '–'}</td>"
        if bodies.empty:
            cells = f"<td>{_cell(rows[rows['reading'] == reading.id].iloc[0])}</td>"
        kind, name = reading.figure.split("-", 1)
        where = f"{chapters}{reading.chapter}.html#{reading.figure}"
        shown = "figure" if kind == "fig" else "table"
        link = f'<a href="{where}" aria-label="{shown} {name} of {reading.chapter}">{shown}</a>'
        lines += f'<tr><th scope="row">{html.escape(reading.statement)}</th>{cells}<td>{link}</td></tr>'
    told = html.escape(CLAIMS[claim].literature)
    head = head or '<th scope="col">outcome</th>'
    return (
        f'<details class="interp-claim" id="claim-{claim}"><summary><strong>{claim}</strong> '
        f"{html.escape(CLAIMS[claim].statement)}</summary>"
        f"<p>Where the paper says it: {html.escape(CLAIMS[claim].paper)}.</p>"
        f"{_judged_on(readings_of)}"
        f"<p>Elsewhere: {told}.</p>"
        f'<div class="interp-scroll interp-table" tabindex="0" role="group" aria-label="readings of {claim}"><table>'
        f'<thead><tr><th scope="col">reading</th>{head}<th scope="col">shown in</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div></details>"
    )


def _judged_on(readings_of: list[Reading]) -> str:
    """What the readings of a claim are judged on: data and subjects, study by study."""
    told = (f"{JUDGED_ON[study].data}. Subjects: {JUDGED_ON[study].subjects}." for study in _studies(readings_of))
    return "".join(f"<p>Judged on: {html.escape(text).replace('`', '')}</p>" for text in told)


def _studies(readings_of: list[Reading]) -> list[str]:
    return list(dict.fromkeys(reading.study for reading in readings_of))


def _body(subject: str, data: str, mapping: str, source: str) -> str:
    told = html.escape(", ".join(p for p in (subject, data, mapping.upper()) if p))
    return f"{told}<br><small>{'this build' if source == 'build' else source}</small>"


def _cell(row: pd.Series) -> str:
    if row["outcome"] == "not run":
        return f"{_chip('not run')}<br><small>{html.escape(str(row['note']))}</small>"
    numbers = with_interval(row["statistic"], row["low"], row["high"])
    p = row["p_holm"]
    told = "" if pd.isna(p) or p >= 1 else f", p {'&lt; .01' if p < 0.01 else f'= {p:.2f}'}"
    note = f"<br><small>{html.escape(row['note'])}</small>" if row["note"] else ""
    return f"{_chip(row['outcome'])}<br>{numbers}{told}{note}"
