"""Buchanan, Valentine & Maxwell (2019): 4,436 cues of all word classes, features reduced to their roots."""

import pandas as pd

from interp import datasets
from interp.errors import InputError
from interp.norms import wordnet
from interp.norms.normset import NormSet, settled_taxonomy

FILE = "final words 2017.csv"


def load() -> NormSet:
    """The 4,436 x 3,981 matrix of `normalized_translated`, in per cent of the participants.

    A (cue, root) pair with several rows takes their mean (PROTOCOL 2): rows repeat because several raw features
    share a root, and differ where a cue comes from several sources.
    """
    columns = ["cue", "translated", "normalized_translated", "pos_cue"]
    with datasets.reading("buchanan", FILE) as content:
        rows = pd.read_csv(content, dtype=str, keep_default_na=False, usecols=columns)
        rows["value"] = pd.to_numeric(rows["normalized_translated"]).astype(float)
    if rows.empty:
        raise InputError(f"buchanan: {FILE} has no rows")
    pairs = rows.groupby(["cue", "translated"])["value"].mean()
    matrix = pairs.unstack().fillna(0.0)
    concepts = tuple(matrix.index)
    word_class = rows.groupby("cue")["pos_cue"].agg(lambda labels: labels.mode().iloc[0])
    nouns = {cue for cue in concepts if word_class[cue] == "noun"}
    supersense = wordnet.supersenses("buchanan", nouns)
    return NormSet(
        "buchanan",
        concepts,
        # Homonyms are written bat_animal; no cue has an underscore for another reason.
        tuple(cue.split("_")[0] for cue in concepts),
        tuple(matrix.columns),
        matrix.to_numpy(dtype=float),
        settled_taxonomy([supersense.get(cue, "") if cue in nouns else "" for cue in concepts]),
        None,
        "share of participants (%)",
        datasets.DATASETS["buchanan"].citation,
        datasets.DATASETS["buchanan"].licence,
    )
