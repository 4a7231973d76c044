"""What the parameters of chapters mean, and the table of them that an executed chapter shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from interp.registry import Registry

MEANINGS: Registry[str] = Registry("parameter", "interp parameters")
"""One line for each name that occurs in a chapter; a name means the same everywhere."""

for _name, _meaning in yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8")).items():
    MEANINGS.add(_name, _meaning)


def rows(known: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> list[dict[str, str]]:
    """One row a parameter: its name, its default, what it has in this run (where `values` are given), its meaning."""
    return [
        {
            "parameter": name,
            "default": shown(default),
            **({} if values is None else {"here": shown(values.get(name, default))}),
            "meaning": MEANINGS[name],
        }
        for name, default in known.items()
    ]


def shown(value: Any) -> str:
    """A value as one types it behind ``--set name=``."""
    if value is None:
        return "null"
    return f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else str(value)


def folded(known: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The table as HTML that opens on demand; one block without empty lines, so that it may stand in Markdown."""
    import pandas as pd

    from interp.report.page import table_html

    caption = "What this chapter can be run with: make chapter CHAPTER=..., or interp chapter ... --set name=value."
    table = table_html(pd.DataFrame(rows(known, values)), "parameters", caption=caption)
    content = f'<details class="interp-parameters"><summary>Parameters</summary>{table}</details>'
    return " ".join(content.split())
