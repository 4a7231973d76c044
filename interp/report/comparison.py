"""The comparison of subjects as a page: a claim a row with its readings inside, a subject a column."""

from __future__ import annotations

import html

import pandas as pd

from interp import reference
from interp.claims import CLAIMS, Reading, readings
from interp.report import sweeps
from interp.report.ledger_page import cell, counts
from interp.report.slug import slug
from interp.store import Used
from interp.subjects.catalogue import Name, identify

REFERENCE = "sweep"
"""Folder of committed sweeps in ``book/reference``."""

MOST = 24
"""Subjects on a page. The tables hold them all."""

Tables = dict[str, pd.DataFrame]


def comparison_markdown() -> str:
    """What the page of the comparison includes: the sweeps run in this checkout, then the committed ones."""
    found = [(name, tables, "Run in this checkout.") for name, tables in sweeps.gathered()]
    found += [(name, _committed(name), _origin(name)) for name in reference.entries(REFERENCE)]
    if not found:
        return "No sweep has been run here; `make sweep` runs that of `config/sweep.yml`.\n"
    return "\n".join(
        f"## The sweep *{html.escape(name)}*\n\n{origin}\n\n"
        f"```{{raw}} html\n{comparison_html(f'sweep-{i}', tables)}\n```\n"
        for i, (name, tables, origin) in enumerate(found)
    )


def keep(sweep: sweeps.Sweep, tables: Tables, command: str) -> None:
    """Commit a sweep's tables as a reference result, which the page shows on every machine."""
    runs = tables[sweeps.RUNS]
    meta = {"identities": {subject: identify(subject) for subject in sweep.subjects}}
    used = [Used(run.chapter, run.run, False, float(run.compute), meta) for run in runs.itertuples()]
    name = slug(sweep.name)
    reference.write(REFERENCE, name, {k: t.assign(sweep=name) for k, t in tables.items()}, command=command, used=used)


def _committed(name: str) -> Tables:
    """The tables that `keep` wrote."""
    both = {table: reference.load(REFERENCE, table) for table in (sweeps.OUTCOMES, sweeps.RUNS)}
    return {table: rows[rows["sweep"] == name] for table, rows in both.items()}


def _origin(name: str) -> str:
    meta = reference.meta(REFERENCE, name)
    return f"Committed with the book; run on {meta['created'][:10]} ({meta['machine']})."


def comparison_html(key: str, tables: Tables) -> str:
    """One sweep as a table of claims by subjects, and one section a claim that opens.

    Parameters
    ----------
    key
        What every id on the page begins with: a page can hold several sweeps.
    tables
        As `sweeps.gather` gives them.
    """
    outcomes, runs = tables[sweeps.OUTCOMES], tables[sweeps.RUNS]
    subjects = list(dict.fromkeys(runs["subject"].dropna()))
    shown = subjects[:MOST]
    same = {Name.parse(s): s for s in subjects}
    # A chapter can name a twin otherwise than the sweep does: `minilm:random` is `minilm:random:0`.
    outcomes = outcomes.assign(column=[same.get(Name.parse(s)) for s in outcomes["subject"]])
    head = "".join(f'<th scope="col">{html.escape(s)}</th>' for s in shown)
    glance = "".join(_glance(key, claim, outcomes[outcomes["claim"] == claim], shown) for claim in CLAIMS)
    everything = readings()
    sections = "".join(
        _section(
            key, claim, outcomes[outcomes["claim"] == claim], [r for r in everything if r.claim == claim], shown, head
        )
        for claim in CLAIMS
    )
    return (
        f'<figure class="interp-table" id="tab-{key}"><figcaption>{_caption(runs, subjects)}</figcaption>'
        f'<div class="interp-scroll" tabindex="0" role="group" aria-label="outcomes by claim and subject, {key}">'
        f'<table><thead><tr><th scope="col">claim</th><th scope="col">the paper says</th>{head}</tr></thead>'
        f'<tbody>{glance}</tbody></table></div></figure><div class="interp-claims">{sections}</div>'
    )


def _caption(runs: pd.DataFrame, subjects: list[str]) -> str:
    """What was run, and what it took."""
    points = [f"{runs['chapter'].nunique()} chapters", f"{len(subjects)} subjects"]
    points += [f"{len(found)} {what}" for what in ("norms", "seed") if len(found := runs[what].dropna().unique()) > 1]
    told = (
        f"Readings by outcome: {' x '.join(points)}, {len(runs)} runs on the profile "
        f"{', '.join(sorted(set(runs['profile'])))}; {runs['compute'].sum() / 3600:.1f} hours of computing."
    )
    if len(subjects) > MOST:
        told += f" The first {MOST} subjects of {len(subjects)}; outcomes.csv of the sweep has them all."
    return html.escape(told)


def _glance(key: str, claim: str, rows: pd.DataFrame, subjects: list[str]) -> str:
    cells = "".join(f"<td>{counts(rows.loc[rows['column'] == s, 'outcome'])}</td>" for s in subjects)
    statement = html.escape(CLAIMS[claim].statement)
    return f'<tr><th scope="row"><a href="#{key}-{claim}">{claim}</a></th><td>{statement}</td>{cells}</tr>'


def _section(
    key: str, claim: str, rows: pd.DataFrame, readings_of: list[Reading], subjects: list[str], head: str
) -> str:
    lines = ""
    for reading in readings_of:
        mine = rows[rows["reading"] == reading.id]
        cells = "".join(f"<td>{_outcomes(mine[mine['column'] == s])}</td>" for s in subjects)
        lines += f'<tr><th scope="row">{html.escape(reading.statement)}</th>{cells}</tr>'
    return (
        f'<details class="interp-claim" id="{key}-{claim}"><summary><strong>{claim}</strong> '
        f"{html.escape(CLAIMS[claim].statement)}</summary>"
        f'<div class="interp-scroll interp-table" tabindex="0" role="group" aria-label="readings of {claim}, {key}">'
        f'<table><thead><tr><th scope="col">reading</th>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></details>"
    )


def _outcomes(rows: pd.DataFrame) -> str:
    """What came out for one reading and one subject: an entry for each data and mapping, draws taken together."""
    entries = []
    for (data, mapping), drawn in rows.groupby(["data", "mapping"], sort=False, dropna=False):
        where = ", ".join(html.escape(str(part)) for part in (data, str(mapping).upper()) if part)
        entries.append(f"{_drawn(drawn)}<br><small>{where}</small>")
    return "<br>".join(entries) or "–"


def _drawn(rows: pd.DataFrame) -> str:
    """The outcome of one draw; of several, how often each, and the statistic's median and range."""
    if len(rows) == 1:
        return cell(rows.iloc[0])
    statistic = rows["statistic"].dropna()
    if statistic.empty:
        return counts(rows["outcome"])
    told = f"{statistic.median():z.2f} ({statistic.min():z.2f} to {statistic.max():z.2f}, {len(rows)} draws)"
    return f"{counts(rows['outcome'])}<br>{told}"
