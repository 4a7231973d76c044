"""Binder et al. (2016): mean ratings of 535 words on 65 experiential attributes, 0 to 6."""

import warnings

import numpy as np
import pandas as pd

from interp import datasets
from interp.norms.normset import NormSet, lemma_of, settled_taxonomy

FILE = "WordSet1_Ratings.xlsx"
WORD_CLASS = {1: "noun", 2: "verb", 3: "adjective"}


def load() -> NormSet:
    """The 535 x 65 matrix of ratings; `na` cells take the mean of that rating over the other concepts (PROTOCOL 2).

    *used* is rated as a verb and as an adjective: two concepts with one lemma. ``listened (to)`` keeps its
    particle and loses the brackets, since it is no homonym suffix.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unknown extension", category=UserWarning)
        sheet = pd.read_excel(datasets.read("binder", FILE), sheet_name="Sheet1", keep_default_na=False)
    ratings = sheet.loc[:, "Vision":"Arousal"].map(lambda cell: np.nan if cell == "na" else cell).astype(float)
    ratings = ratings.fillna(ratings.mean())
    words = sheet["Word"].str.replace(" (", " ", regex=False).str.replace(")", "", regex=False)
    classes = sheet["WC"].map(WORD_CLASS)
    concepts = tuple(
        f"{word}_({kind})" if again else word for word, kind, again in zip(words, classes, words.duplicated(keep=False))
    )
    return NormSet(
        "binder",
        concepts,
        tuple(map(lemma_of, concepts)),
        tuple(ratings.columns),
        ratings.to_numpy(),
        settled_taxonomy(list(sheet["Category"])),
        None,
        "mean rating (0 to 6)",
        datasets.DATASETS["binder"].citation,
        datasets.DATASETS["binder"].licence,
    )
