"""Sentences in which a concept's word stands, and where in them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from interp import datasets
from interp.corpora import embedded, prose
from interp.errors import InputError
from interp.registry import Registry
from interp.seeding import generator

SHORTEST, LONGEST = 6, 40
"""Words of a sentence that is drawn from running text."""


class Context(NamedTuple):
    """A sentence, and the characters of the word in it."""

    text: str
    start: int
    end: int


Draw = Callable[[Sequence[str], Sequence[str], int, int], list[tuple[Context, ...]]]
"""Concepts, their words, how many contexts each, seed -> contexts by concept; none where there are too few."""


@dataclass(frozen=True)
class Source:
    """One source of contexts."""

    draw: Draw
    identify: Callable[[], str]


CONTEXTS: Registry[Source] = Registry("source of contexts", "")
"""Where contexts can be drawn from."""


def drawn_contexts(
    concepts: Sequence[str], lemmas: Sequence[str], source: str, count: int, seed: int = 0
) -> list[tuple[Context, ...]]:
    """`count` contexts of each concept; an empty tuple for one that has fewer.

    Parameters
    ----------
    concepts, lemmas
        As in a `NormSet`: a concept may be one meaning of its lemma (``bat_(animal)``).
    source
        ``contexts``: the sentences written for `everyday`, each in the concept's own sense. ``prose``: sentences of
        books, drawn at random, in which the lemma stands once as a word (case ignored, no plurals), in whatever sense.

    Raises
    ------
    InputError
        For an unknown source, files that are not here, or a `count` below 1.
    """
    if count < 1:
        raise InputError(f"contexts: {count} of each concept; at least 1")
    return CONTEXTS[source].draw(concepts, lemmas, count, seed)


def identify_contexts(source: str) -> str:
    """What exactly the contexts of `source` are drawn from, known without reading it.

    Raises
    ------
    InputError
        For an unknown source.
    """
    return CONTEXTS[source].identify()


def _written(concepts: Sequence[str], lemmas: Sequence[str], count: int, _seed: int) -> list[tuple[Context, ...]]:
    """The first `count` of the sentences that were written for the concept."""
    table = embedded.table("contexts")
    mine = {concept: tuple(group) for concept, group in table.groupby("concept", sort=False)["sentence"]}
    found = []
    for concept, lemma in zip(concepts, lemmas, strict=True):
        places = [c for text in mine.get(concept, ())[:count] if (c := _only_place(text, lemma)) is not None]
        found.append(tuple(places) if len(places) == count else ())
    return found


def _from_prose(_concepts: Sequence[str], lemmas: Sequence[str], count: int, seed: int) -> list[tuple[Context, ...]]:
    """Random sentences of the books, the same ones for the same lemma."""
    texts = prose.sentences()["sentence"].drop_duplicates().tolist()
    firsts = {lemma.casefold().split()[0] for lemma in lemmas}
    having: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        words = re.findall(r"\w+", text.casefold())
        if SHORTEST <= len(words) <= LONGEST:
            for word in firsts.intersection(words):
                having[word].append(text)
    found: dict[str, tuple[Context, ...]] = {}
    for lemma in dict.fromkeys(lemmas):
        candidates = having[lemma.casefold().split()[0]]
        order = generator(seed, "contexts", lemma).permutation(len(candidates))
        places: list[Context] = []
        for i in order:
            if len(places) == count:
                break
            place = _only_place(candidates[i], lemma)
            places += [] if place is None else [place]
        found[lemma] = tuple(places) if len(places) == count else ()
    return [found[lemma] for lemma in lemmas]


def _only_place(text: str, word: str) -> Context | None:
    """Where `word` stands in `text`, if it stands there exactly once."""
    places = list(re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text, re.IGNORECASE))
    return Context(text, *places[0].span()) if len(places) == 1 else None


CONTEXTS.add("contexts", Source(_written, lambda: embedded.contexts().checksum))
CONTEXTS.add(
    "prose", Source(_from_prose, lambda: " ".join(file.sha256[:16] for file in datasets.DATASETS["prose"].files))
)
