"""The noun taxonomy of Open English WordNet for the words of the norms."""

import csv
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
