"""Structured nonsense: targets that mean nothing and yet have a structure some input could carry."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np

from interp.controls.problem import NotApplicable, Problem, control

FREQUENT_BIGRAM = 5
"""A bigram is a feature if at least so many words have it."""


@control("nonsense-length", keeps="a structure that the spelling carries", destroys="meaning")
def nonsense_length(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """y_ij = |len(i) - len(j)|: character-length differences to every concept, as the companion paper names them."""
    length = np.array([len(lemma) for lemma in problem.lemmas], dtype=float)
    return replace(problem, Y=np.abs(length[:, None] - length[None]), kinds=None)


@control("nonsense-letters", keeps="spelling", destroys="meaning")
def nonsense_letters(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """Counts of the letters and of the frequent bigrams of each word."""
    counts = [Counter([*lemma, *map("".join, pairwise(lemma))]) for lemma in problem.lemmas]
    words_with = Counter(unit for count in counts for unit in count)
    units = sorted(u for u, n in words_with.items() if len(u) == 1 or n >= FREQUENT_BIGRAM)
    return replace(problem, Y=np.array([[float(count[u]) for u in units] for count in counts]), kinds=None)


@control("nonsense-hash", keeps="which words share sub-words; sparsity", destroys="meaning")
def nonsense_hash(problem: Problem, rng: np.random.Generator) -> Problem:
    """Every WordPiece owns random features, drawn by how common they are; a concept has the union of its pieces'.

    A piece owns as many features as a random concept has, divided by the mean number of pieces of a word, so that
    concepts end up with about as many as they had; values are drawn from the feature's own.
    """
    if problem.pieces is None:
        raise NotApplicable("nonsense-hash needs the sub-words of each lemma; these embeddings came without them")
    present = problem.Y != 0
    carried = np.flatnonzero(present.any(axis=0))
    prevalence = present[:, carried].sum(axis=0) / present.sum()
    sizes = present.sum(axis=1) / np.mean([len(pieces) for pieces in problem.pieces])
    owned: dict[int, np.ndarray] = {}
    for piece in sorted({piece for pieces in problem.pieces for piece in pieces}):
        count = int(np.clip(round(rng.choice(sizes)), 1, len(carried)))
        row = np.zeros(problem.Y.shape[1])
        for feature in rng.choice(carried, size=count, replace=False, p=prevalence):
            row[feature] = rng.choice(problem.Y[present[:, feature], feature])
        owned[piece] = row
    return replace(problem, Y=np.stack([np.max([owned[p] for p in pieces], axis=0) for pieces in problem.pieces]))


@control(
    "nonsense-embedding",
    keeps="each feature's values, and that the embedding can predict them",
    destroys="meaning",
)
def nonsense_embedding(problem: Problem, rng: np.random.Generator) -> Problem:
    """One random direction of X per feature: the concepts, ranked by it, receive the feature's own values in order."""
    score = (problem.X - problem.X.mean(axis=0)) @ rng.standard_normal((problem.X.shape[1], problem.Y.shape[1]))
    Y = np.empty_like(problem.Y)
    np.put_along_axis(Y, np.argsort(score, axis=0, kind="stable"), np.sort(problem.Y, axis=0), axis=0)
    return replace(problem, Y=Y)
