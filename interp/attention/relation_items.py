"""The relation probe's data: true pairs, and four kinds of wrong ones, each closer to the truth than the last.

A pair is a concept and the noun in the other slot of the pattern, its *slot noun*. In every kind each concept stands in
one true and one wrong pair, so that knowing the concept tells nothing about the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment

from interp.registry import Registry
from interp.seeding import generator

CALIPER = 0.1
"""A match may differ in similarity by this share of the standard deviation over the true pairs, and no more."""

FORBIDDEN = 1e6
"""Cost of a pair that must not be dealt."""


@dataclass(frozen=True)
class Nouns:
    """What the negatives are drawn from."""

    concepts: tuple[str, ...]
    """One per true pair, each once."""
    hypernyms: tuple[str, ...]
    """Of each concept; a hypernym has several."""
    pool: tuple[str, ...]
    """Nouns that are nobody's hypernym."""
    listed: Mapping[str, frozenset[str]]
    """The hypernyms people named, by noun (for the nouns of the pool, too)."""
    above: Mapping[str, frozenset[str]]
    """Everything known to stand above a noun: a sentence that says so is true, whoever wrote it down as wrong."""
    vectors: Mapping[str, Float[np.ndarray, "width"]]
    """Static vectors of all nouns, for matching."""

    def similarity(self, rows: Sequence[str], columns: Sequence[str]) -> Float[np.ndarray, "row column"]:
        """Cosines of static vectors."""
        a, b = (np.stack([self.vectors[w] for w in words]) for words in (rows, columns))
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return a @ b.T

    def untrue(self, slots: Sequence[str]) -> Bool[np.ndarray, "concept slot"]:
        """Where a slot noun may stand as a wrong one: not the concept, not above it, no letters in common."""
        return np.array(
            [[s != c and s not in self.above[c] and c not in s and s not in c for s in slots] for c in self.concepts]
        )


Draw = Callable[[Nouns, np.random.Generator], "tuple[np.ndarray, list[str]]"]
"""Which concepts get a wrong pair (indices), and their slot nouns."""


@dataclass(frozen=True)
class Negatives:
    """One kind of wrong pairs."""

    name: str
    label: str
    """For figures."""
    slot_noun: str
    """What stands in the slot."""
    leaves: str
    """What could still tell wrong from right without any relation."""
    draw: Draw


NEGATIVES: Registry[Negatives] = Registry("kind of negatives", "")


def _negatives(name: str, label: str, *, slot_noun: str, leaves: str) -> Callable[[Draw], Draw]:
    def add(draw: Draw) -> Draw:
        NEGATIVES.add(name, Negatives(name, label, slot_noun, leaves, draw))
        return draw

    return add


def _deal(cost: Float[np.ndarray, "concept slot"], slots: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """The cheapest assignment, each slot used once; concepts that only forbidden ones are left for go without."""
    rows, columns = linear_sum_assignment(cost)
    fine = cost[rows, columns] < FORBIDDEN
    return rows[fine], [slots[j] for j in columns[fine]]


def _matched(
    nouns: Nouns, slots: Sequence[str], allowed: Bool[np.ndarray, "concept slot"]
) -> tuple[np.ndarray, list[str]]:
    """Slot nouns as similar to the concept as its hypernym is; concepts without such a match go without."""
    wanted = np.diag(nouns.similarity(nouns.concepts, nouns.hypernyms))
    gap = np.abs(nouns.similarity(nouns.concepts, slots) - wanted[:, None])
    caliper = CALIPER * wanted.std()
    # Beyond the caliper all are equally useless: a bad match must not be bettered at the expense of a good one.
    cost = np.where(gap <= caliper, gap / max(caliper, 1e-12), 10.0)
    rows, dealt = _deal(np.where(allowed, cost, FORBIDDEN), slots)
    column = {noun: j for j, noun in enumerate(slots)}
    close = np.array([gap[i, column[noun]] <= caliper for i, noun in zip(rows, dealt)], dtype=bool)
    return rows[close], [noun for noun, keep in zip(dealt, close) if keep]


@_negatives(
    "re-dealt",
    "(a) hypernyms re-dealt",
    slot_noun="a hypernym of another concept; every hypernym stands in the slot as often wrongly as rightly",
    leaves="how similar the two words are",
)
def _redealt(nouns: Nouns, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    cost = rng.random((len(nouns.concepts),) * 2)
    return _deal(np.where(nouns.untrue(nouns.hypernyms), cost, FORBIDDEN), nouns.hypernyms)


@_negatives(
    "re-dealt-matched",
    "(b) re-dealt, matched",
    slot_noun="a hypernym of another concept, as similar to the concept as its own (static vectors)",
    leaves="hypernyms that are more often right than wrong among the pairs that could be matched",
)
def _redealt_matched(nouns: Nouns, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    order = rng.permutation(len(nouns.hypernyms))
    slots = [nouns.hypernyms[i] for i in order]
    return _matched(nouns, slots, nouns.untrue(slots))


@_negatives(
    "other-noun",
    "(c) another noun, matched",
    slot_noun="a noun that is nobody's hypernym and no co-hyponym, as similar to the concept as its hypernym",
    leaves="which words are hypernyms at all: general, frequent, short ones",
)
def _other_noun(nouns: Nouns, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    slots = [nouns.pool[i] for i in rng.permutation(len(nouns.pool))]
    apart = np.array([[not (nouns.listed[c] & nouns.listed[s]) for s in slots] for c in nouns.concepts])
    return _matched(nouns, slots, nouns.untrue(slots) & apart)


@_negatives(
    "co-hyponym",
    "(d) a co-hyponym",
    slot_noun="another concept with the same hypernym",
    leaves="which words are hypernyms at all, and how similar the two words are",
)
def _cohyponym(nouns: Nouns, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    slots = [nouns.pool[i] for i in rng.permutation(len(nouns.pool))]
    sister = np.array([[h in nouns.listed[s] for s in slots] for h in nouns.hypernyms])
    cost = rng.random((len(nouns.concepts), len(slots)))
    return _deal(np.where(nouns.untrue(slots) & sister, cost, FORBIDDEN), slots)


def items(nouns: Nouns, kinds: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """True and wrong pairs of each kind.

    Returns
    -------
    Columns ``negatives`` (the kind), ``concept``, ``slot`` (the slot noun), ``hypernymy`` (bool), ``similarity``. A
    true pair is there only beside its wrong one: each kind has as many of either, and the same concepts in both.

    Raises
    ------
    InputError
        For an unknown kind.
    """
    rows = []
    for kind in kinds:
        chosen, slots = NEGATIVES[kind].draw(nouns, generator(seed, "negatives", kind))
        concepts = [nouns.concepts[i] for i in chosen]
        true = [nouns.hypernyms[i] for i in chosen]
        for label, dealt in ((True, true), (False, slots)):
            rows += [(kind, c, s, label, float(nouns.similarity([c], [s])[0, 0])) for c, s in zip(concepts, dealt)]
    return pd.DataFrame(rows, columns=["negatives", "concept", "slot", "hypernymy", "similarity"])
