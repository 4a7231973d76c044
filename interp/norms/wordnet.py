"""The noun taxonomy of Open English WordNet for the words of the norms."""

import csv
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from interp import datasets


def _table(name: str) -> pd.DataFrame:
    content = datasets.read("wordnet", name)
    return pd.read_csv(content, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE)


@lru_cache(maxsize=4)
def supersenses(norms: str) -> dict[str, str]:
    """Supersense (``noun.animal``) of the first noun sense of each concept of `norms` that WordNet has.

    A concept matched to several spellings takes the first. Whether it is used as a noun is for the caller to say:
    most verbs have a noun sense, too.
    """
    senses = _table("noun_taxonomy.tsv")
    first = senses[senses["sense"] == "1"].drop_duplicates("lemma").set_index("lemma")["lexfile"]
    lemmas = _table("concept_lemmas.tsv")
    lemmas = lemmas[(lemmas["norm"] == norms) & (lemmas["match"] != "none")]
    found = {row.concept: first.get(str(row.lemmas).split("|")[0], "") for row in lemmas.itertuples()}
    return {str(concept): lexfile for concept, lexfile in found.items() if lexfile}


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
