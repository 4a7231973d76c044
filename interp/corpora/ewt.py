"""Universal Dependencies English Web Treebank 2.16: web texts with gold trees."""

import io
import re

from interp import datasets
from interp.corpora.corpus import Corpus

SPLITS = ("train", "dev", "test")
WORDS = (8, 40)
"""Fewest and most words of a sentence that is kept: the treebank has many of one word."""


def load() -> Corpus:
    """Running sentences of all splits with 8 to 40 words, each once, without addresses and URLs."""
    texts: dict[str, None] = {}
    for split in SPLITS:
        with datasets.reading("ud_english_ewt", f"en_ewt-ud-{split}.conllu") as content:
            for line in io.TextIOWrapper(content, encoding="utf-8"):
                if line.startswith("# text = "):
                    text = line.removeprefix("# text = ").strip()
                    if WORDS[0] <= len(text.split()) <= WORDS[1] and not re.search(r"https?:|www\.|@", text):
                        texts[text] = None
    dataset = datasets.DATASETS["ud_english_ewt"]
    return Corpus("ud_english_ewt", tuple(texts), dataset.citation, dataset.licence)
