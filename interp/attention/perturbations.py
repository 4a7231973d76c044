"""Perturbations: what is done to a text, or to what stands for it, before its attention maps are looked at again.

Each keeps something and destroys something (PROTOCOL 7). A perturbation is made for a subject and a seed, and then
applied to batches; what it draws for a text depends on the seed and that text alone, never on the batch. The weights
are never written to. The `random` and `permuted` twins, which have learned nothing, are subjects and not perturbations.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.attention import vocabulary
from interp.errors import InputError
from interp.registry import Registry
from interp.seeding import generator
from interp.subjects.subject import Batch, Subject


@dataclass(frozen=True)
class Given:
    """Texts to perturb, as they were encoded."""

    texts: tuple[str, ...]
    batch: Batch
    pairs: tuple[tuple[str, str], ...] | None = None
    """The two words of each text that `swap` exchanges."""


@dataclass(frozen=True)
class Perturbed:
    """What the subject is run on instead."""

    batch: Batch
    order: Int[Tensor, "text position"]
    """Which place of the intact text the thing that now stands here (a token, or a position) came from."""
    during: Callable[[], AbstractContextManager[None]] = nullcontext
    """What holds while the subject runs."""


Apply = Callable[[Given], Perturbed]
Make = Callable[[Subject, int], Apply]


@dataclass(frozen=True)
class Perturbation:
    """A perturbation of the input."""

    name: str
    make: Make
    """From a subject and a seed to the function that perturbs batches."""
    keeps: str
    destroys: str
    moves: bool
    """Whether something moves to another place, so that maps can also be compared carried along."""


PERTURBATIONS: Registry[Perturbation] = Registry("perturbation", "interp perturbations")
"""What can be done to a text before the subject reads it: what that keeps and what it destroys."""


def perturbation(name: str, *, keeps: str, destroys: str, moves: bool = False) -> Callable[[Make], Make]:
    """Register the decorated factory as the perturbation `name`."""

    def add(make: Make) -> Make:
        PERTURBATIONS.add(name, Perturbation(name, make, keeps, destroys, moves))
        return make

    return add


def attend(subject: Subject, perturbed: Perturbed) -> list[Float[Tensor, "text head query key"]]:
    """The attention maps of every layer under a perturbation.

    Raises
    ------
    InputError
        For a subject whose attention gives no weights.
    """
    with perturbed.during(), subject.capture(["blocks.*.attn.weights"]) as trace:
        subject(perturbed.batch)
    return subject.maps(trace)


def in_place(batch: Batch) -> Int[Tensor, "text position"]:
    """The order in which nothing moves."""
    return torch.arange(batch.ids.shape[1], device=batch.ids.device).expand_as(batch.ids)


@perturbation("intact", keeps="everything", destroys="nothing")
def intact(_subject: Subject, _seed: int) -> Apply:
    """The text as it is."""
    return lambda given: Perturbed(given.batch, in_place(given.batch))


@perturbation(
    "swap", keeps="words, positions, all other words' places", destroys="who stands where, of two words", moves=True
)
def swap(subject: Subject, _seed: int) -> Apply:
    """Two words exchange places; they need equally many word pieces, so that nothing else moves."""

    def apply(given: Given) -> Perturbed:
        if given.pairs is None:
            raise InputError("swap needs two words for each text (on the command line: --swap 'chef,waiter')")
        ids, order = given.batch.ids.clone(), in_place(given.batch).clone()
        for row, (text, pair) in enumerate(zip(given.texts, given.pairs, strict=True)):
            swapped, mine = swapped_text(subject, text, pair)
            coded = subject.encode([swapped]).ids[0]
            ids[row, : len(coded)], order[row, : len(coded)] = coded, mine.to(order.device)
        return Perturbed(replace(given.batch, ids=ids), order)

    return apply


def swapped_text(subject: Subject, text: str, pair: tuple[str, str]) -> tuple[str, Int[Tensor, "position"]]:
    """`text` with two of its words exchanged, and the order of places that this makes.

    Raises
    ------
    InputError
        For a word that is not in the text or more than once, or words with unequally many pieces.
    """
    (first, a), (second, b) = sorted(((w, word_span(text, w)) for w in pair), key=lambda found: found[1])
    if a == b:
        raise InputError(f"swap: {first!r} cannot be exchanged with itself")
    parts = text[: a[0]], text[slice(*b)], text[a[1] : b[0]], text[slice(*a)], text[b[1] :]
    swapped = "".join(parts)
    before = subject.span(text, *a), subject.span(text, *b)
    length = len(subject.encode([text]).ids[0])
    if len(before[0]) != len(before[1]) or length != len(subject.encode([swapped]).ids[0]):
        raise InputError(
            f"swap: {first!r} and {second!r} have {len(before[0])} and {len(before[1])} word pieces in {subject.name}; "
            "only words with equally many can be exchanged"
        )
    order = torch.arange(length)
    order[before[0]], order[before[1]] = torch.tensor(before[1]), torch.tensor(before[0])
    return swapped, order


def word_span(text: str, word: str) -> tuple[int, int]:
    """Where `word` stands in `text`, case ignored.

    Raises
    ------
    InputError
        If it does not, or more than once.
    """
    found = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)] if word else []
    if len(found) != 1:
        raise InputError(
            f"swap: the word {word!r} is not in the text {text[:60]!r}"
            if not found
            else f"swap: the word {word!r} occurs {len(found)} times in the text {text[:60]!r}; name another"
        )
    return found[0]


@perturbation("shuffle-words", keeps="which words there are", destroys="their order", moves=True)
def shuffle_words(subject: Subject, seed: int) -> Apply:
    """The words (and marks, as the tokenizer splits them) in random order, the pieces of each word together."""

    def apply(given: Given) -> Perturbed:
        order = in_place(given.batch).clone()
        for row, text in enumerate(given.texts):
            words: dict[int, list[int]] = {}
            for place, word in enumerate(subject.word_of(text)):
                if word is not None and not given.batch.special[row, place]:
                    words.setdefault(word, []).append(place)
            places = sorted(p for pieces in words.values() for p in pieces)
            groups = list(words.values())
            dealt = generator(seed, "shuffle-words", text).permutation(len(groups))
            order[row, places] = torch.tensor([p for i in dealt for p in groups[i]], device=order.device)
        return Perturbed(replace(given.batch, ids=given.batch.ids.gather(1, order)), order)

    return apply


def _with_table(subject: Subject, table: Float[Tensor, "token width"]) -> Apply:
    return lambda given: Perturbed(given.batch, in_place(given.batch), lambda: subject.with_embeddings(table))


@perturbation(
    "shuffle-embeddings",
    keeps="the set of vectors; two occurrences of a token stay alike; special tokens, positions, weights",
    destroys="which vector stands for which token",
)
def shuffle_embeddings(subject: Subject, seed: int) -> Apply:
    """Rows of the token-embedding table permuted over the ordinary vocabulary; special and unused rows stay."""
    rows = vocabulary.ordinary(subject)
    return _permuted_rows(subject, [rows], generator(seed, "shuffle-embeddings"))


@perturbation(
    "shuffle-embeddings-frequency",
    keeps="as shuffle-embeddings, and how frequent a vector's own token is",
    destroys="which vector stands for which token, among those about as frequent",
)
def shuffle_embeddings_frequency(subject: Subject, seed: int) -> Apply:
    """As `shuffle_embeddings`, within bins of token frequency (two a decade of rank)."""
    return _permuted_rows(subject, vocabulary.frequency_bins(subject), generator(seed, "shuffle-embeddings-frequency"))


def _permuted_rows(subject: Subject, groups: list[np.ndarray], rng: np.random.Generator) -> Apply:
    order = np.arange(len(subject.embeddings))
    for group in groups:
        order[group] = rng.permutation(group)
    return _with_table(subject, subject.embeddings[torch.from_numpy(order).to(subject.device)])


@perturbation(
    "gaussian-embeddings",
    keeps="the norm of each token's vector; special tokens, positions, weights",
    destroys="directions: what tokens have in common, and what all of them share",
)
def gaussian_embeddings(subject: Subject, seed: int) -> Apply:
    """Every ordinary token gets a Gaussian vector of its own, as long as its real one."""
    rows = torch.from_numpy(vocabulary.ordinary(subject))
    table = subject.embeddings.clone()
    drawn = generator(seed, "gaussian-embeddings").standard_normal((len(rows), table.shape[1]), dtype=np.float32)
    vectors = torch.from_numpy(drawn).to(table)
    rows = rows.to(table.device)
    table[rows] = vectors / vectors.norm(dim=1, keepdim=True) * table[rows].norm(dim=1, keepdim=True)
    return _with_table(subject, table)


@perturbation(
    "random-tokens",
    keeps="length, and about how frequent the tokens are",
    destroys="the text: each token becomes another one of its frequency",
)
def random_tokens(subject: Subject, seed: int) -> Apply:
    """Each token of the text becomes a random one out of its frequency bin (two bins a decade of rank)."""
    bins = vocabulary.frequency_bins(subject)
    bin_of = {int(token): i for i, members in enumerate(bins) for token in members}

    def apply(given: Given) -> Perturbed:
        ids = given.batch.ids.clone()
        for row, text in enumerate(given.texts):
            rng = generator(seed, "random-tokens", text)
            for place in (~given.batch.special[row]).nonzero()[:, 0].tolist():
                members = bins[bin_of[int(ids[row, place])]] if int(ids[row, place]) in bin_of else None
                if members is not None:  # a token the vocabulary does not know stays unknown
                    ids[row, place] = int(rng.choice(members))
        return Perturbed(replace(given.batch, ids=ids), in_place(given.batch))

    return apply


@perturbation(
    "shuffle-positions",
    keeps="tokens and where a causal mask lets them look",
    destroys="which token has which position",
    moves=True,
)
def shuffle_positions(subject: Subject, seed: int) -> Apply:
    """The positions of the text's own inner places permuted among them; special tokens keep theirs.

    In a bidirectional subject this is `shuffle_words` (on pieces) seen from the tokens: without positions such a model
    knows no order. Here *in place* means at the same token, and *carried along* at the same position. With rotary
    positions the angles are permuted.
    """

    def apply(given: Given) -> Perturbed:
        order = in_place(given.batch).clone()
        for row, text in enumerate(given.texts):
            inner = (~given.batch.special[row]).nonzero()[:, 0].cpu()
            dealt = generator(seed, "shuffle-positions", text).permutation(len(inner))
            order[row, inner] = inner[torch.from_numpy(dealt)].to(order.device)
        return Perturbed(given.batch, order, lambda: subject.with_positions(order))

    return apply
