"""What the parameters of chapters mean, and the table of them that an executed chapter shows."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from interp.errors import InputError
from interp.profile import project_root
from interp.registry import Registry

MEANINGS: Registry[str] = Registry("parameter", "interp parameters")
"""One line for each name that occurs in a chapter; a name means the same everywhere."""

for _name, _meaning in yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8")).items():
    MEANINGS.add(_name, _meaning)


def check_value(name: str, value: Any, *, nothing_is_meant: bool) -> None:
    """Refuse a value that no chapter can run with, as far as that can be told without loading anything.

    Parameters
    ----------
    nothing_is_meant
        Whether the chapter itself has None for it.

    Raises
    ------
    InputError
        For nothing where something is needed, a number that is negative or not finite, an unknown subject, norm set,
        corpus, device or dtype.
    """
    if value is None:
        if not nothing_is_meant and not re.search(r"\bnone (is|lets)\b", MEANINGS.get(name, "")):
            raise InputError("it needs a value")
        return
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, (int, float)) and not 0 <= item < math.inf:
            raise InputError(f"{item} is no number from 0 on")
        if name in KINDS and isinstance(item, str):
            KINDS[name](item)


def _subject(name: str) -> None:
    from interp.subjects.catalogue import Name, source_of

    base = Name.parse(name).base
    if not (project_root() / base).is_dir():  # chapters run in the checkout's root
        source_of(base)


def _norms(name: str) -> None:
    from interp.norms.catalogue import check_name

    check_name(name, project_root())


def _corpus(name: str) -> None:
    from interp.corpora import CORPORA

    CORPORA[name]


def _device(name: str) -> None:
    from interp.subjects.catalogue import check_device_name

    check_device_name(name)


def _dtype(name: str) -> None:
    from interp.subjects.catalogue import check_dtype_name

    check_dtype_name(name)


KINDS: dict[str, Callable[[str], None]] = {
    **dict.fromkeys(("subject", "schemes", "again", "decoders"), _subject),
    **dict.fromkeys(("norms", "norm_set"), _norms),
    **dict.fromkeys(("corpus", "positions_corpus"), _corpus),
    "device": _device,
    "dtype": _dtype,
}
"""Parameters that name something, and what refuses a name of nothing."""


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
