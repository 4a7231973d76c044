"""Which corpora there are."""

from collections.abc import Callable
from dataclasses import dataclass

from interp import datasets
from interp.corpora import embedded, ewt, wikitext
from interp.corpora.corpus import Corpus
from interp.errors import InputError
from interp.registry import Registry


@dataclass(frozen=True)
class Entry:
    """A corpus as the catalogue knows it, whether or not its files are here."""

    read: Callable[[], Corpus]
    description: str
    licence: str = embedded.LICENCE
    holds: str = "sentences"
    """What a text is: `sentences` to run on, or `patterns` that are to be filled first."""


CORPORA: Registry[Entry] = Registry("corpus", "interp corpora")
"""Corpora with a name: what they hold and under which licence."""
CORPORA.add("plain", Entry(embedded.plain, "mixed matters in varied syntax, 10 to 38 words"))
CORPORA.add("role_reversal", Entry(embedded.role_reversal, "pairs: the same words, two nouns exchanged"))
CORPORA.add("crossed", Entry(embedded.crossed, "fours: active and passive, each with its nouns exchanged"))
CORPORA.add("contexts", Entry(embedded.contexts, "three for each concept of `everyday`, which occurs once in each"))
CORPORA.add(
    "hypernym_patterns",
    Entry(embedded.hypernym_patterns, "say that a concept is of a category, for any pair", holds="patterns"),
)
CORPORA.add(
    "ud_english_ewt",
    Entry(ewt.load, "web texts with gold trees, 8 to 40 words", datasets.DATASETS["ud_english_ewt"].licence),
)
CORPORA.add(
    "wikitext2",
    Entry(wikitext.load, "sentences of Wikipedia articles", datasets.DATASETS["wikitext2"].licence),
)


def load(name: str) -> Corpus:
    """A corpus of sentences by name.

    Raises
    ------
    InputError
        For an unknown name, files that are not here or have the wrong checksum, or patterns, which are no sentences.
    """
    entry = CORPORA[name]
    if entry.holds != "sentences":
        raise InputError(
            f"corpus {name} holds {entry.holds} with two slots, not sentences; see `interp corpora` for the others"
        )
    return entry.read()


def identify(name: str) -> str:
    """Checksum of the sentences `name` stands for."""
    return load(name).checksum
