"""When the reference results were last computed anew, as HTML for the execution page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from interp.report.page import table_html


def verified_html(record: Mapping[str, Mapping[str, Any]], made: Mapping[str, Mapping[str, Any]]) -> str:
    """A line with the last date, and one row a reference result.

    Parameters
    ----------
    record
        As `interp.verification.record` gives it.
    made
        As `interp.reference.made` gives it.
    """
    rows = []
    for entry, meta in made.items():
        name = meta["command"].partition("ONLY=")[2] or entry
        last = record.get(name, {})
        rows.append(
            {
                "result": entry,
                "made": meta["created"][:10],
                "commit": meta["commit"],
                "hours": meta["seconds"] / 3600,
                "verified": _date(last, meta["created"]),
                "computed anew": last.get("what", "–"),
                "largest difference": _largest(last),
            }
        )
    dates = sorted(str(last["verified"])[:10] for last in record.values())
    differ = [name for name, last in record.items() if not last["ok"]]
    told = f"Reference results last verified on {dates[-1]}." if dates else "No reference result has been verified yet."
    if differ:
        told += f" Not the same as committed: {', '.join(differ)}."
    caption = (
        "Reference results: when they were made and what that took, when they were last computed anew, how much of "
        "them, and the largest difference of a number from what is committed (of its share, where it is above one)."
    )
    table = table_html(pd.DataFrame(rows), "verified", caption=caption, formats={"hours": ".2f"}) if rows else ""
    return f'<p class="interp-reference">{html.escape(told)}</p>{table}'


def _date(last: Mapping[str, Any], created: str) -> str:
    if not last:
        return "not yet"
    day = str(last["verified"])[:10]
    return f"{day}, then made anew" if last["verified"] < created else day


def _largest(last: Mapping[str, Any]) -> str:
    if not last:
        return "–"
    if last["largest"] is None:
        return "a row or a word"
    return f"{last['largest']:.0e}" + ("" if last["ok"] else " (too much)")
