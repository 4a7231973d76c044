"""The sentences that come with the package; written by a language model for this project, CC0."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from interp.corpora.corpus import Corpus
from interp.errors import InputError

FOLDER = Path(__file__).parent / "data"
ORIGIN = "written for this project (machine-written)"
LICENCE = "CC0 1.0"


@dataclass(frozen=True)
class RoleReversal:
    """A sentence and the same words with two nouns exchanged; both readings are plausible."""

    first: str
    """The noun that comes first in `sentence`, as it is written there."""
    second: str
    sentence: str
    reversed: str


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
    return _corpus("plain", "sentence")


def role_reversal() -> Corpus:
    """Both sentences of every pair, one after the other."""
    return _corpus("role_reversal", "sentence", "reversed")


def crossed() -> Corpus:
    """The four sentences of every pair of nouns: active, passive, and both with the nouns exchanged."""
    return _corpus("crossed", "active", "passive", "active_reversed", "passive_reversed")


def contexts() -> Corpus:
    """Three sentences for each concept of `everyday`, in the order of the norms' file."""
    return _corpus("contexts", "sentence")


def hypernym_patterns() -> Corpus:
    """Patterns with a slot for a concept and one for its category, still empty."""
    return _corpus("hypernym_patterns", "pattern")


def _corpus(name: str, *columns: str) -> Corpus:
    texts = table(name)[list(columns)].to_numpy().ravel()
    return Corpus(name, tuple(map(str, texts)), ORIGIN, LICENCE)


def role_reversals() -> tuple[RoleReversal, ...]:
    """The role-reversal pairs, in the order of the table."""
    rows = table("role_reversal").drop(columns="id")
    return tuple(RoleReversal(*row) for row in rows.itertuples(index=False))


def contexts_of(concept: str) -> tuple[str, ...]:
    """The context sentences of a concept of `everyday` (``mouse_(animal)``), where its word stands once, in that sense.

    Raises
    ------
    InputError
        For a concept the norms do not have.
    """
    rows = table("contexts")
    mine = tuple(rows.loc[rows["concept"] == concept, "sentence"])
    if not mine:
        raise InputError(f"no context sentences for {concept!r}: the concepts of the norms `everyday` have some")
    return mine
