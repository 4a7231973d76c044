"""WordNet's supersenses (``noun.animal``) for words of the norms, from either of two editions.

The extract of Open English WordNet 2025 is what the reference results rest on. Where it is not at hand, Princeton
WordNet 3.1 does (`interp fetch wordnet31`): on the 3,067 nouns of Buchanan's that both have, 98.8 % of the supersenses
are the same.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import pandas as pd

from interp import datasets

LEXICOGRAPHER_FILES = (
    *("Tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling"),
    *("food", "group", "location", "motive", "object", "person", "phenomenon", "plant", "possession", "process"),
    *("quantity", "relation", "shape", "state", "substance", "time"),
)
"""Noun files 3 to 28, in the order of WordNet's `lexnames(5WN)`."""

PLURALS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)
"""Noun endings and what they stand for, as in `morphy(7WN)`."""


def supersenses(norms: str, concepts: Iterable[str]) -> dict[str, str]:
    """Supersense of the first noun sense of each concept that WordNet has.

    A concept matched to several spellings takes the first. Whether it is used as a noun is for the caller to say:
    most verbs have a noun sense, too.

    Raises
    ------
    InputError
        If neither edition is here.
    """
    if datasets.available("wordnet") or not datasets.available("wordnet31"):
        found = _extract(norms)
        return {concept: found[concept] for concept in concepts if concept in found}
    first = princeton()
    guesses = {concept: next((first[s] for s in _spellings(concept) if s in first), "") for concept in concepts}
    return {concept: supersense for concept, supersense in guesses.items() if supersense}


def _table(name: str) -> pd.DataFrame:
    try:
        content = datasets.read("wordnet", name)
    except datasets.InputError as error:
        raise datasets.InputError(f"{error}; or run `interp fetch wordnet31`") from None
    return pd.read_csv(content, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE)


@lru_cache(maxsize=4)
def _extract(norms: str) -> dict[str, str]:
    senses = _table("noun_taxonomy.tsv")
    first = senses[senses["sense"] == "1"].drop_duplicates("lemma").set_index("lemma")["lexfile"]
    lemmas = _table("concept_lemmas.tsv")
    lemmas = lemmas[(lemmas["norm"] == norms) & (lemmas["match"] != "none")]
    found = {row.concept: first.get(str(row.lemmas).split("|")[0], "") for row in lemmas.itertuples()}
    return {str(concept): lexfile for concept, lexfile in found.items() if lexfile}


@lru_cache(maxsize=1)
def princeton() -> dict[str, str]:
    """Supersense of the first noun sense of every lemma of WordNet 3.1 (formats: `wndb(5WN)`)."""
    file_of = {}
    for line in _entries("data.noun"):
        offset, number, _ = line.split(" ", 2)
        file_of[offset] = f"noun.{LEXICOGRAPHER_FILES[int(number) - 3]}"
    first = {}
    for line in _entries("index.noun"):
        fields = line.split()
        senses = int(fields[2])
        first[fields[0].replace("_", " ")] = file_of[fields[-senses]]
    return first


def _entries(name: str) -> Iterator[str]:
    """Lines of a WordNet file without its licence, whose lines begin with blanks."""
    for line in datasets.read("wordnet31", name).read().decode().splitlines():
        if not line.startswith("  "):
            yield line


def _spellings(concept: str) -> Iterator[str]:
    """The word itself, then what it may be the plural of."""
    word = concept.split("_")[0].lower()
    yield word
    for ending, singular in PLURALS:
        if word.endswith(ending):
            yield word.removesuffix(ending) + singular


@lru_cache(maxsize=1)
def _graph() -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, set[str]]]:
    """Synsets of each lemma (lower case), direct hypernyms of each synset, lemmas of each synset."""
    synsets: dict[str, set[str]] = {}
    higher: dict[str, set[str]] = {}
    members: dict[str, set[str]] = {}
    for row in _table("noun_taxonomy.tsv").itertuples():
        lemma, synset = str(row.lemma).lower(), str(row.synset)
        synsets.setdefault(lemma, set()).add(synset)
        members.setdefault(synset, set()).add(lemma)
        higher.setdefault(synset, set()).update(filter(None, str(row.hypernym_synsets).split("|")))
    return synsets, higher, members


def ancestors(lemmas: Sequence[str]) -> dict[str, frozenset[str]]:
    """Every lemma that stands above any noun sense of each of `lemmas`; empty where WordNet does not have it.

    All senses count, so that a word which is true under any of them is never taken for a wrong superordinate.
    Members of the lemma's own synsets count, too: a synonym is not a wrong superordinate either.
    """
    synsets, higher, members = _graph()
    found: dict[str, frozenset[str]] = {}
    for lemma in lemmas:
        seen: set[str] = set()
        waiting = list(synsets.get(lemma, ()))
        while waiting:
            synset = waiting.pop()
            if synset not in seen:
                seen.add(synset)
                waiting += higher.get(synset, ())
        found[lemma] = frozenset(name for synset in seen for name in members.get(synset, ())) - {lemma}
    return found
