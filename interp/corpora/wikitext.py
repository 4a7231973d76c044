"""WikiText-2: sentences of the validation and test articles, put back into ordinary spelling."""

import io
import re

from interp import datasets
from interp.corpora.corpus import Corpus

FILES = ("wiki.valid.tokens", "wiki.test.raw")
"""The validation text has rare words as ``<unk>`` (sentences with one are dropped), the raw test text has all words."""
WORDS = (8, 40)
"""Fewest and most words of a sentence that is kept."""

_END = re.compile(r'(?<= [.!?]) (?=(?:" )?[A-Z0-9"(])|(?<= [.!?] ") (?=[A-Z0-9("])')
_SPELLING = (
    (re.compile(r" @([-,.])@ "), r"\1"),
    (re.compile(r" ([.,;:!?%)\]])"), r"\1"),
    (re.compile(r"([(\[$£€]) "), r"\1"),
    (re.compile(r" ('(?:s|t|re|ve|ll|d|m)|n't)\b"), r"\1"),
    (re.compile(r"(\w) '(?= )"), r"\1'"),
    (re.compile(r'" ([^"]*?) "'), r'"\1"'),
)


def load() -> Corpus:
    """Sentences of 8 to 40 words that end in a full stop, question or exclamation mark, each once; no headings."""
    texts: dict[str, None] = {}
    for name in FILES:
        with datasets.reading("wikitext2", name) as content:
            for line in io.TextIOWrapper(content, encoding="utf-8"):
                if not line.startswith(" = "):
                    texts |= dict.fromkeys(filter(_kept, map(spelled, filter(_clear, _END.split(line.strip())))))
    dataset = datasets.DATASETS["wikitext2"]
    return Corpus("wikitext2", tuple(texts), dataset.citation, dataset.licence)


def spelled(sentence: str) -> str:
    """A tokenised sentence in ordinary spelling: no blanks before marks, no ``@-@``."""
    for pattern, plain in _SPELLING:
        sentence = pattern.sub(plain, sentence)
    return sentence.strip()


def _clear(tokenised: str) -> bool:
    """Whether the marks can be put back: a lone ``'`` is a plural's possessive, two of them are quotation marks."""
    return tokenised.split().count("'") <= 1


def _kept(sentence: str) -> bool:
    return (
        WORDS[0] <= len(sentence.split()) <= WORDS[1]
        and "<unk>" not in sentence
        and " '" not in sentence
        and sentence[0].isupper()
        and sentence.rstrip('"')[-1] in ".!?"
        and sentence.count('"') % 2 == 0
    )
