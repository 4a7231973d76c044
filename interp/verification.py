"""Reference results computed anew, held against what is committed, and a record of when that was last done."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from interp import reference
from interp.errors import InputError
from interp.files import replacing

TOLERANCE = 2e-3
"""Of a number, or of its share where it is above one. What is committed has seven digits; another machine, or another
number of threads, rounds otherwise, and a rank that is nearly a tie then falls the other way."""

TOLERANCE_P = 0.06
"""Of a p-value: it counts resamples beyond a threshold, which rounding moves over it one at a time."""

P_VALUES = ("p", "p_holm")
"""Columns with p-values."""

Pair = tuple[pd.DataFrame, pd.DataFrame, Sequence[str]]
"""What was computed anew, what is committed of the same, and the columns that say which rows belong together (none:
rows stand in the same order)."""

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.(\d+))?")


@dataclass(frozen=True)
class Compared:
    """A reference result beside the same computed anew."""

    what: str
    """What was computed anew of it."""
    largest: float
    """Largest difference of two numbers (of their share, where they are above one); infinite where a row is missing, or
    a word is another."""
    largest_p: float
    """Largest difference of two p-values."""
    tolerance: float = TOLERANCE

    @property
    def ok(self) -> bool:
        """Whether they are the same within the tolerance."""
        return self.largest <= self.tolerance and self.largest_p <= TOLERANCE_P


def compared(what: str, pairs: Iterable[Pair], tolerance: float = TOLERANCE) -> Compared:
    """Hold tables against those that are committed; a row that only one of them has is infinitely different."""
    largest = largest_p = 0.0
    for fresh, known, on in pairs:
        keys = {"on": list(on)} if on else {"left_index": True, "right_index": True}
        both = fresh.merge(known, suffixes=("", " there"), validate="1:1", **keys)
        if not len(fresh) == len(known) == len(both):
            largest = math.inf
        for column in [c for c in fresh.columns if f"{c} there" in both]:
            difference = _difference(both[column], both[f"{column} there"])
            if column in P_VALUES:
                largest_p = max(largest_p, difference)
            else:
                largest = max(largest, difference)
    return Compared(what, largest, largest_p, tolerance)


def _difference(fresh: pd.Series, known: pd.Series) -> float:
    """The largest difference of two columns."""
    if pd.api.types.is_numeric_dtype(fresh) and pd.api.types.is_numeric_dtype(known):
        a, b = fresh.to_numpy(dtype=float), known.to_numpy(dtype=float)
        apart = np.abs(a - b) / np.maximum(1.0, np.abs(b))
        apart[(np.isnan(a) & np.isnan(b)) | (a == b)] = 0.0
        return float(np.where(np.isnan(apart), math.inf, apart).max(initial=0.0))
    return max((_words_apart(a, b) for a, b in zip(fresh, known, strict=True)), default=0.0)


def _words_apart(fresh: Any, known: Any) -> float:
    """The largest difference of the numbers in two texts beyond their last digit; infinite where the words differ."""
    if pd.isna(fresh) or pd.isna(known):
        return 0.0 if pd.isna(fresh) and pd.isna(known) else math.inf
    if _NUMBER.sub("#", str(fresh)) != _NUMBER.sub("#", str(known)):
        return math.inf
    largest = 0.0
    for a, b in zip(_NUMBER.finditer(str(fresh)), _NUMBER.finditer(str(known)), strict=True):
        x, y = (float(m.group().replace(",", "")) for m in (a, b))
        digit = 10.0 ** -len(b.group(1) or "")
        largest = max(largest, (abs(x - y) - 1.01 * digit) / max(1.0, abs(y)))
    return largest


def record() -> dict[str, dict[str, Any]]:
    """When each reference result was last computed anew, and what came out, by the command's name for it.

    Raises
    ------
    InputError
        If the record is damaged.
    """
    path = _path()
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise InputError(f"{path} is not what was written; `git checkout` restores it") from None


def note(entry: str, found: Compared) -> None:
    """Enter a comparison into the record, in place of the entry's older one."""
    known = record()
    known[entry] = {
        "verified": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": reference.commit(),
        "what": found.what,
        "ok": found.ok,
        "largest": _short(found.largest),
        "largest_p": _short(found.largest_p),
        "tolerance": found.tolerance,
        **reference.environment(),
    }
    with replacing(_path()) as partial:
        text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def _short(difference: float) -> float | None:
    """Two digits of it; None of what has no number, which JSON lacks."""
    return float(f"{difference:.1e}") if math.isfinite(difference) else None


def _path() -> Path:
    return reference.folder() / "verified.json"
