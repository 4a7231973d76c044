"""The sentences that come with the package; written by a language model for this project, CC0."""

import csv
from functools import lru_cache
from pathlib import Path

import pandas as pd

from interp.corpora.corpus import Corpus

FOLDER = Path(__file__).parent / "data"
ORIGIN = "written for this project (machine-written)"
LICENCE = "CC0 1.0"


@lru_cache(maxsize=8)
def table(name: str) -> pd.DataFrame:
    """One of the package's tables of sentences, every cell a string."""
    return pd.read_csv(
        FOLDER / f"{name}.tsv",
        sep="\t",
        dtype=str,
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        encoding="utf-8",
    )


def plain() -> Corpus:
    """Sentences of 10 to 38 words on mixed matters, in varied syntax."""
    return Corpus("plain", tuple(table("plain")["sentence"]), ORIGIN, LICENCE)


def contexts() -> Corpus:
    """Sentences of 9 to 20 words, each about an everyday thing; many of one length."""
    return Corpus("contexts", tuple(dict.fromkeys(table("contexts")["sentence"])), ORIGIN, LICENCE)
