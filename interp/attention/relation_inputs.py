"""What the probe is given to read: the attention under test, attention that cannot know, and no attention at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp.attention.relation_features import noun_pieces, pair_attention
from interp.corpora.patterns import Sentence
from interp.registry import Registry
from interp.subjects import Subject
from interp.subjects.shuffled import shuffled_embeddings


@dataclass(frozen=True)
class Reading:
    """What an input is computed from."""

    subject: Subject
    twin: Callable[[str, int], Subject]
    """A twin of the subject by kind (``"random"``, ``"permuted"``) and seed."""
    sentences: Sequence[Sentence]
    nouns: pd.DataFrame
    """One row per sentence: ``concept`` and ``slot``."""
    batch_size: int = 64

    def attention(self, subject: Subject) -> Float[np.ndarray, "sentence feature"]:
        """Directions x layers x heads, flattened."""
        return pair_attention(subject, self.sentences, batch_size=self.batch_size).reshape(len(self.sentences), -1)

    def vectors(self) -> tuple[Float[np.ndarray, "sentence width"], Float[np.ndarray, "sentence width"]]:
        """Static vectors of concept and slot noun."""
        first, second = (self.subject.lemma_vectors(list(self.nouns[side])) for side in ("concept", "slot"))
        return first, second


Build = Callable[[Reading, int], Float[np.ndarray, "sentence feature"]]


@dataclass(frozen=True)
class ProbeInput:
    """One input of the probe."""

    name: str
    reads: str
    """What it is."""
    relational: str
    """Whether anything that was learned about the relation could be in it."""
    seeded: bool
    """Whether it depends on a seed: a twin's or a shuffle's."""
    build: Build


PROBE_INPUTS: Registry[ProbeInput] = Registry("input of the relation probe", "")


def _input(name: str, reads: str, relational: str, *, seeded: bool = False) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        PROBE_INPUTS.add(name, ProbeInput(name, reads, relational, seeded, build))
        return build

    return add


@_input("attention", "attention between the two nouns, every layer and head, of the subject as it is", "the question")
def _attention(reading: Reading, _seed: int) -> Float[np.ndarray, "sentence feature"]:
    return reading.attention(reading.subject)


@_input(
    "attention, embeddings shuffled",
    "the same after the rows of the token-embedding table were permuted: every word has another word's vector",
    "about other words: learned weights, wrong words",
    seeded=True,
)
def _shuffled(reading: Reading, seed: int) -> Float[np.ndarray, "sentence feature"]:
    with shuffled_embeddings(reading.subject, seed) as subject:
        return reading.attention(subject)


@_input(
    "attention, permuted weights",
    "attention of the twin whose weights were permuted within each tensor",
    "nothing: the weights' scale is left",
    seeded=True,
)
def _permuted(reading: Reading, seed: int) -> Float[np.ndarray, "sentence feature"]:
    return reading.attention(reading.twin("permuted", seed))


@_input(
    "attention, random weights", "attention of the untrained twin", "nothing: the architecture is left", seeded=True
)
def _random(reading: Reading, seed: int) -> Float[np.ndarray, "sentence feature"]:
    return reading.attention(reading.twin("random", seed))


@_input("static vectors", "rows of the token-embedding table for both nouns, side by side", "word by word: no sentence")
def _static(reading: Reading, _seed: int) -> Float[np.ndarray, "sentence feature"]:
    return np.hstack(reading.vectors())


@_input("static similarity", "the cosine of those two vectors", "one number")
def _similarity(reading: Reading, _seed: int) -> Float[np.ndarray, "sentence feature"]:
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in reading.vectors())
    return (a * b).sum(axis=1, keepdims=True)


@_input(
    "static products",
    "the products of the two vectors, dimension by dimension",
    "how two words fit, as a bilinear form of their vectors could tell; attention is one, too",
)
def _products(reading: Reading, _seed: int) -> Float[np.ndarray, "sentence feature"]:
    first, second = reading.vectors()
    return first * second


@_input("word identity", "which word is the concept and which the slot noun (one column per word)", "nothing but names")
def _identity(reading: Reading, _seed: int) -> Float[np.ndarray, "sentence feature"]:
    columns = [pd.get_dummies(reading.nouns[side], dtype=float).to_numpy() for side in ("concept", "slot")]
    return np.hstack(columns)


@_input(
    "length and frequency",
    "of each noun: letters, sub-words, rank of its rarest sub-word in the vocabulary; tokens between the nouns",
    "nothing",
)
def _length(reading: Reading, _seed: int) -> Float[np.ndarray, "sentence feature"]:
    subject = reading.subject
    rows = []
    for sentence, concept, slot in zip(reading.sentences, reading.nouns["concept"], reading.nouns["slot"]):
        first, second = sorted(noun_pieces(subject, sentence))
        row: list[float] = [second[0] - first[-1]]
        for word in (concept, slot):
            ids = subject.pieces(word)
            # Vocabularies are ordered by frequency, roughly; no list of frequencies comes with every subject.
            row += [len(word), len(ids), float(np.log(max(ids) + 1))]
        rows.append(row)
    return np.array(rows)
