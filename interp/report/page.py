"""What a chapter calls: begin, show, glue, end."""

from __future__ import annotations

import html
import numbers
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from interp import claims
from interp.claims import ledger
from interp.report import full_size, style, svg
from interp.report.drawn import source_link
from interp.report.provenance import MIME, provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from interp.claims import Verdict

SHORT = 24
"""Characters up to which the name of a row stays on one line."""

_started = time.perf_counter()
_named: dict[str, Any] = {}
"""What this page has glued."""
_judged: list[dict[str, Any]] = []
"""The verdicts it has filed."""


def begin() -> None:
    """Set the page up: the figures' style, and the clock."""
    global _started
    _started = time.perf_counter()
    _named.clear()
    _judged.clear()
    style.apply()


def glue(**values: Any) -> None:
    """Name numbers and words for the prose: ``{glue:text}`name:.2f```.

    numpy scalars become plain Python ones, because their name would be printed with them.
    """
    from myst_nb import glue as put

    for name, value in values.items():
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            value = int(value)
        elif isinstance(value, numbers.Real) and not isinstance(value, bool):
            value = float(value)
        put(name, value, display=False)
        _named[name] = value


def ratio(part: float, whole: float) -> float:
    """One number as a share of another, for the prose; nan of nothing, where numpy would warn on the page."""
    return float(part) / float(whole) if whole else float("nan")


def show_figure(figure: Figure, key: str, *, alt: str, caption: str) -> None:
    """Show a figure inside the page.

    Parameters
    ----------
    key
        The figure's anchor, unique on the page (``#fig-KEY``).
    alt
        What it shows, for a reader who cannot see it: the finding, not "a bar chart".
    caption
        What one sees, then how to read it. Plain text.
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    picture = svg.inline(figure, key, alt)
    source = source_link(figure)
    link = f' <a class="interp-source" href="{html.escape(source)}">Source of this figure</a>' if source else ""
    plt.close(figure)
    display(
        HTML(
            f'<figure class="interp-figure" id="fig-{key}"><div class="interp-scroll" tabindex="0" role="group" '
            f'aria-label="figure {key}">{picture}</div><figcaption>{html.escape(caption)}{link}</figcaption></figure>'
        )
    )


def show_table(
    table: pd.DataFrame,
    key: str,
    *,
    caption: str,
    formats: Mapping[str, str | Callable[[Any], str]] | None = None,
) -> None:
    """Show a table with a caption; wide ones scroll inside their own frame.

    Parameters
    ----------
    formats
        By column: a format specification (``".2f"``) or a function. What is missing shows as an en dash.
    """
    from IPython.display import HTML, display

    display(HTML(table_html(table, key, caption=caption, formats=formats)))


def show_verdicts(verdicts: Mapping[str, Mapping[str, Verdict]], *, caption: str, **labels: str) -> None:
    """Show the outcomes of a chapter, and file them for the ledger of the start page.

    Parameters
    ----------
    verdicts
        By body of evidence (a subject, or data), then by reading.
    labels
        What all bodies have in common: ``data=`` where they are named by subject, ``subject=`` where by data.
    """
    from IPython.display import display

    told = table_html(claims.verdict_table(verdicts), "verdicts", caption=caption)
    filed = ledger.records(verdicts, **labels)
    _judged.extend(filed)
    display({"text/html": told, ledger.MIME: filed, "text/plain": f"{len(filed)} verdicts"}, raw=True)


def show_reference(chapter: str, **parameters: Any) -> None:
    """Show what the run of `chapter` at full size found, beside what this page has glued and filed so far.

    Parameters
    ----------
    parameters
        Of this page: those that say of what and of how much. Where the run at full size had the same, this page is of
        full size itself, and says so.
    """
    from IPython.display import HTML, display

    display(HTML(full_size.section(chapter, _named, _judged, parameters)))


def table_html(
    table: pd.DataFrame,
    key: str,
    *,
    caption: str,
    formats: Mapping[str, str | Callable[[Any], str]] | None = None,
) -> str:
    """The HTML of `show_table`. Every cell is escaped."""
    formats = formats or {}

    def cell(column: str, value: Any) -> str:
        if value is None or (isinstance(value, float) and value != value):
            return "–"
        form = formats.get(column)
        if callable(form):
            return html.escape(form(value))
        # "z": no minus sign before a zero.
        return html.escape(unbroken(format(value, f"z{form}" if form and form.startswith(".") else form or "")))

    numeric = {c for c in table.columns if pd.api.types.is_numeric_dtype(table[c])}
    head = "".join(
        f'<th scope="col"{" class=num" if c in numeric else ""}>{html.escape(str(c))}</th>' for c in table.columns
    )
    body = ""
    for row in table.itertuples(index=False):
        first, *rest = (
            (' class="num"' if c in numeric else "", cell(c, v)) for c, v in zip(table.columns, row, strict=True)
        )
        short = ' class="short"' if len(first[1]) <= SHORT else ""
        body += f'<tr><th scope="row"{short}>{first[1]}</th>' + "".join(f"<td{k}>{v}</td>" for k, v in rest) + "</tr>"
    return (
        f'<figure class="interp-table" id="tab-{key}"><figcaption>{html.escape(caption)}</figcaption>'
        f'<div class="interp-scroll" tabindex="0" role="group" aria-label="table {key}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>"
    )


def unbroken(text: str) -> str:
    """Text in which an interval, ``[low, high]``, is never broken into two lines."""
    return re.sub(r"\[([^\s,\]]+), ([^\s,\]]+)\]", "[\\1,\N{NO-BREAK SPACE}\\2]", text)


def end(**parameters: Any) -> None:
    """The provenance of the page: parameters, subjects, data, versions, stored results, and the time it took."""
    from IPython.display import display

    seconds = time.perf_counter() - _started
    content, filed = provenance(parameters, seconds)
    glue(runtime=filed["seconds"], compute=filed["compute"])
    display({"text/html": content, MIME: filed, "text/plain": f"executed in {seconds:.0f} s"}, raw=True)
