"""Sentences of 57 public-domain books, in reading order."""

import csv
import io

import pandas as pd

from interp import datasets


def sentences() -> pd.DataFrame:
    """One row a sentence: `doc` (the book), `paragraph`, `sentence`, all strings.

    Raises
    ------
    InputError
        If a file is not here or has other bytes than the known ones.
    """
    tables = [
        pd.read_csv(
            io.TextIOWrapper(datasets.read("prose", file.name), encoding="utf-8"),
            sep="\t",
            quoting=csv.QUOTE_NONE,
            dtype=str,
            keep_default_na=False,
        )
        for file in datasets.DATASETS["prose"].files
    ]
    return pd.concat(tables, ignore_index=True)
