"""Norms from a table: one row a (concept, feature, value); the form of one's own norms and of the embedded ones."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from interp.errors import InputError
from interp.norms.normset import NormSet, lemma_of, settled_taxonomy

ENDINGS = (".csv", ".tsv")
REQUIRED = ("concept", "feature", "value")
OPTIONAL = ("kind", "category", "lemma")


def load(
    path: Path,
    *,
    name: str | None = None,
    unit: str = "value",
    citation: str = "the user's own norms",
    licence: str = "the user's own",
) -> NormSet:
    """Read `path` (comma- or tab-separated by its ending, UTF-8, with a header line).

    Columns: ``concept``, ``feature``, ``value``; and, where they are given, ``kind`` (of the feature), ``category``
    and ``lemma`` (of the concept). A cell that is not listed is 0.

    Raises
    ------
    InputError
        Naming the file, the line and what is wrong: missing columns, a pair that occurs twice, a value that is not a
        number, a concept with two categories, a feature with two kinds.
    """
    rows = _read(path)
    pair = rows.duplicated(["concept", "feature"])
    if pair.any():
        _refuse(path, rows, pair, lambda r: f"the pair ({r['concept']}, {r['feature']}) occurs twice")
    values = pd.to_numeric(rows["value"], errors="coerce")
    if not np.isfinite(values).all():
        _refuse(path, rows, ~np.isfinite(values), lambda r: f"value {r['value']!r} is not a finite number")
    matrix = rows.assign(value=values.astype(float)).pivot(index="concept", columns="feature", values="value")
    matrix = matrix.fillna(0.0)
    concepts = tuple(matrix.index)
    categories = _one_each(path, rows, "concept", "category")
    kinds = _one_each(path, rows, "feature", "kind")
    lemmas = _one_each(path, rows, "concept", "lemma")
    return NormSet(
        name or path.stem,
        concepts,
        tuple(lemmas[c] if lemmas else lemma_of(c) for c in concepts),
        tuple(matrix.columns),
        matrix.to_numpy(),
        settled_taxonomy([categories[c] if categories else "" for c in concepts]),
        tuple(kinds[f] for f in matrix.columns) if kinds else None,
        unit,
        citation,
        licence,
    )


def _read(path: Path) -> pd.DataFrame:
    tabs = path.suffix.lower() == ".tsv"
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = pd.read_csv(
            io.StringIO(text),
            sep="\t" if tabs else ",",
            quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
            dtype=str,
            keep_default_na=False,
            header=None,  # pandas would rename a column that occurs twice, and shift rows longer than the header
            skip_blank_lines=False,  # so that the index counts lines
        )
    except FileNotFoundError:
        raise InputError(f"no file of norms at {path}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no table of norms: {error}; save it as UTF-8") from None
    except (OSError, ValueError) as error:  # pandas' own are kinds of ValueError
        raise InputError(f"{path} is no table of norms: {str(error).strip().splitlines()[0]}") from None
    for number, line in enumerate(text.split("\n"), 1):
        if "\0" in line:  # pandas before 3 cuts a cell there, and says nothing
            raise InputError(f"{path}, line {number}: control characters in {line[:100]!r}")
    lines = lines.apply(lambda column: column.str.strip())
    lines = lines[(lines != "").any(axis=1)]
    if lines.empty:
        raise InputError(f"{path} is empty; a table of norms begins with a line {', '.join(REQUIRED)}")
    rows = lines.iloc[1:].set_axis(lines.iloc[0].to_list(), axis=1)
    _check_columns(path, rows.columns.to_list())
    if rows.empty:
        raise InputError(f"{path} has a header line and no rows")
    pair = rows[["concept", "feature"]]
    blank = (pair == "").any(axis=1)
    if blank.any():
        _refuse(path, rows, blank, lambda _: "the concept or the feature is empty")
    control = pair.apply(lambda names: names.str.contains(r"[\x00-\x1f\x7f]")).any(axis=1)
    if control.any():
        _refuse(path, rows, control, lambda r: f"control characters in {r['concept']!r} or {r['feature']!r}")
    return rows


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        found = ", ".join(map(repr, columns))
        raise InputError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; a table of norms has "
            f"{', '.join(REQUIRED)} (and may have {', '.join(OPTIONAL)}), separated by commas in a .csv and by tabs in "
            f"a .tsv; this one has {found[:200]}"
        )
    for column in (*REQUIRED, *OPTIONAL):
        if columns.count(column) > 1:
            raise InputError(f"{path} has the column {column} twice")


def _refuse(path: Path, rows: pd.DataFrame, wrong: "pd.Series[bool]", message) -> None:  # type: ignore[no-untyped-def]
    first = int(np.flatnonzero(wrong.to_numpy())[0])
    raise InputError(f"{path}, line {rows.index[first] + 1}: {message(rows.iloc[first])[:200]}")


def _one_each(path: Path, rows: pd.DataFrame, of: str, what: str) -> dict[str, str]:
    """The one `what` of each `of`; empty where the table has no such column."""
    if what not in rows.columns:
        return {}
    different = rows.drop_duplicates([of, what])
    again = different.duplicated(of)
    if again.any():
        name = different[of][again].iloc[0]
        both = sorted(different.loc[different[of] == name, what])
        raise InputError(f"{path}: {of} {name!r} has more than one {what}: {', '.join(map(repr, both))}")
    return dict(zip(different[of], different[what]))
