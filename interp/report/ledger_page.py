"""The ledger as HTML: what came out for each claim, at a glance, and every reading beneath it."""

from __future__ import annotations

import html
from collections.abc import Iterable

import pandas as pd

from interp.claims import CLAIMS, Reading, readings
from interp.claims.ledger import BODY
from interp.report.page import unbroken
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
    glance = "".join(_glance(claim, ledger) for claim in CLAIMS)
    sections = "".join(
        _section(claim, ledger[ledger["claim"] == claim], [r for r in everything if r.claim == claim], chapters)
        for claim in CLAIMS
    )
    legend = " ".join(chip(outcome) for outcome in GLYPHS)
    return (
        f'<p class="interp-legend">{legend}</p>'
        '<figure class="interp-table" id="tab-glance"><figcaption>Readings by outcome. Here: this build. Reference: '
        "the human norm sets, computed once and committed. Untrained twins are left out.</figcaption>"
        '<div class="interp-scroll" tabindex="0" role="group" aria-label="outcomes by claim"><table><thead><tr>'
        '<th scope="col">claim</th><th scope="col">the paper says</th><th scope="col">here</th>'
        f'<th scope="col">reference</th></tr></thead><tbody>{glance}</tbody></table></div></figure>'
        f'<div class="interp-claims">{sections}</div>'
    )


def ledger_markdown(ledger: pd.DataFrame) -> str:
    """The table of claims alone, for a page that is not part of the book (the README)."""
    lines = ["| claim | the paper says | here | reference |", "|---|---|---|---|"]
    for claim in CLAIMS:
        cells = (
            ", ".join(_told(*each) for each in counted(_trained(ledger, claim, source)).items()) or "–"
            for source in ("build", "reference")
        )
        lines.append(f"| {claim} | {CLAIMS[claim].statement} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def counted(outcomes: Iterable[str]) -> dict[str, int]:
    """How often each outcome is there, in the order of `GLYPHS`."""
    found = pd.Series(list(outcomes), dtype=object).value_counts()
    return {outcome: int(found[outcome]) for outcome in GLYPHS if outcome in found}


def counts(outcomes: Iterable[str]) -> str:
    """A chip for each outcome that is there, with how often."""
    return " ".join(chip(*each) for each in counted(outcomes).items()) or "–"


def _trained(ledger: pd.DataFrame, claim: str, source: str) -> pd.Series:
    """Outcomes of a claim, untrained twins left out."""
    rows = ledger[(ledger["claim"] == claim) & (ledger["source"] == source)]
    return rows.loc[~rows["subject"].map(_is_twin), "outcome"]


def _glance(claim: str, ledger: pd.DataFrame) -> str:
    here, known = (counts(_trained(ledger, claim, source)) for source in ("build", "reference"))
    statement = html.escape(CLAIMS[claim].statement)
    return (
        f'<tr><th scope="row"><a href="#claim-{claim}">{claim}</a></th><td>{statement}</td>'
        f"<td>{here}</td><td>{known}</td></tr>"
    )


def _is_twin(subject: str) -> bool:
    """Whether a body's subject is an untrained twin; a reading that was not run has none."""
    return bool(subject) and Name.parse(subject).twin is not None


def _told(outcome: str, count: int) -> str:
    return f"{count} {PLURAL.get(outcome, outcome) if count > 1 else outcome}"


def chip(outcome: str, count: int | None = None) -> str:
    """An outcome, or a number of them, told by colour, sign and word."""
    told = outcome if count is None else _told(outcome, count)
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
            cells += f"<td>{cell(outcomes.loc[[key]].iloc[0]) if key in outcomes.index else '–'}</td>"
        if bodies.empty:
            cells = f"<td>{cell(rows[rows['reading'] == reading.id].iloc[0])}</td>"
        kind, name = reading.figure.split("-", 1)
        where = f"{chapters}{reading.chapter}.html#{reading.figure}"
        shown = "figure" if kind == "fig" else "table"
        link = f'<a href="{where}" aria-label="{shown} {name} of {reading.chapter}">{shown}</a>'
        named = f"{html.escape(reading.statement)}<br><small>{reading.id}</small>"
        lines += f'<tr><th scope="row">{named}</th>{cells}<td>{link}</td></tr>'
    told = html.escape(CLAIMS[claim].literature)
    head = head or '<th scope="col">outcome</th>'
    return (
        f'<details class="interp-claim" id="claim-{claim}"><summary><strong>{claim}</strong> '
        f"{html.escape(CLAIMS[claim].statement)}</summary>"
        f"<p>Elsewhere: {told}.</p>"
        f'<div class="interp-scroll interp-table" tabindex="0" role="group" aria-label="readings of {claim}"><table>'
        f'<thead><tr><th scope="col">reading</th>{head}<th scope="col">shown in</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div></details>"
    )


def _body(subject: str, data: str, mapping: str, source: str) -> str:
    told = html.escape(", ".join(p for p in (subject, data, mapping.upper()) if p))
    return f"{told}<br><small>{'this build' if source == 'build' else source}</small>"


def cell(row: pd.Series) -> str:
    """One outcome with its statistic, interval and note."""
    if row["outcome"] == "not run":
        return f"{chip('not run')}<br><small>{html.escape(str(row['note']))}</small>"
    numbers = unbroken(with_interval(row["statistic"], row["low"], row["high"]))
    p = row["p_holm"]
    told = "" if pd.isna(p) or p >= 1 else f", p&nbsp;{'&lt;&nbsp;.01' if p < 0.01 else f'=&nbsp;{p:.2f}'}"
    note = f"<br><small>{html.escape(row['note'])}</small>" if row["note"] else ""
    return f"{chip(row['outcome'])}<br>{numbers}{told}{note}"
