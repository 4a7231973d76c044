"""Vectors of words inside sentences, by layer; and what to hold them against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from interp.errors import InputError
from interp.registry import Registry
from interp.seeding import generator
from interp.subjects.subject import Batch, Subject

Place = tuple[str, int, int]
"""A text, and the first and the last (exclusive) character of the word in it."""


@dataclass(frozen=True)
class Form:
    """Which vector of a sentence stands for the word."""

    name: str
    label: str
    """For figures."""
    knows: str
    """What the vector can know of the word."""
    masked: bool
    """Whether the model sees mask tokens in place of the word."""
    places: Callable[[Subject, Place, list[int]], list[int]]
    """Token places whose mean is taken, given those of the word."""


FORMS: Registry[Form] = Registry("form of vectors", "")


def _own(_subject: Subject, _place: Place, word: list[int]) -> list[int]:
    return word


def _elsewhere(subject: Subject, place: Place, word: list[int]) -> list[int]:
    """One ordinary token outside the word, drawn by the text alone."""
    of = subject.word_of(place[0])
    others = [i for i, w in enumerate(of) if w is not None and i not in word]
    if not others:
        raise InputError(f"{place[0]!r} has no other word")
    return [int(generator(0, "elsewhere", place[0]).choice(others))]


for _form in (
    Form("context", "word in context", "the word and its sentence", False, _own),
    Form("masked", "word masked", "the sentence, without the word", True, _own),
    Form(
        "elsewhere", "another word", "itself, its sentence, and what attention brought of the word", False, _elsewhere
    ),
    Form(
        "elsewhere-masked", "another word, word masked", "itself and its sentence, without the word", True, _elsewhere
    ),
):
    FORMS.add(_form.name, _form)


@dataclass(frozen=True)
class Contextual:
    """Words in their sentences, layer by layer; layer 0 is the embedding output, as in `Subject.lemma_vectors`."""

    vectors: Float[np.ndarray, "layer word width"]
    """The mean over a word's sub-words, then over its sentences; float64."""
    self_similarity: Float[np.ndarray, "layer word"]
    """Mean cosine of a word's vectors from different sentences (Ethayarajh 2019, section 3.2); NaN for one sentence."""
    baseline: Float[np.ndarray, "layer"]
    """Mean cosine of vectors of different words: how much any two vectors point the same way."""


def contextual_vectors(
    subject: Subject, places: Sequence[Sequence[Place]], form: str = "context", *, batch_size: int = 32
) -> Contextual:
    """The vectors of words in sentences, with what their cosines are; nothing is kept of single sentences.

    Parameters
    ----------
    places
        Of each word, where it stands; each word at least once.
    form
        A name in `FORMS`.

    Raises
    ------
    InputError
        For an unknown form, a word without a place, a text the subject cannot take, or a form it does not have (no mask
        token).
    """
    chosen = FORMS[form]
    if not all(places):
        raise InputError("a word stands in no sentence: leave it out, or draw contexts elsewhere")
    flat = [(word, place) for word, mine in enumerate(places) for place in mine]
    texts = [text for _, (text, _, _) in flat]
    spans = [subject.span(*place) for _, place in flat]
    wanted = [chosen.places(subject, place, span) for (_, place), span in zip(flat, spans)]
    sites = ["embed", *(f"blocks.{i}.resid_post" for i in range(subject.n_layers))]
    sums = np.zeros((len(sites), len(places), subject.width))
    directions = np.zeros_like(sums)
    with tqdm(total=len(texts), desc=f"{subject.name}, {chosen.label}", unit="sentence") as bar:
        for batch in subject.batches(texts, batch_size):
            seen = _masked(subject, batch, spans) if chosen.masked else batch
            with subject.capture(sites) as trace:
                subject(seen)
            for layer, site in enumerate(sites):
                for row, i in enumerate(batch.index):
                    vector = trace[site][row, wanted[i]].double().mean(dim=0).cpu().numpy()
                    sums[layer, flat[i][0]] += vector
                    directions[layer, flat[i][0]] += vector / np.linalg.norm(vector)
            bar.update(len(batch))
    return _summed(sums, directions, np.array([len(mine) for mine in places]))


def _summed(
    sums: Float[np.ndarray, "layer word width"], directions: Float[np.ndarray, "layer word width"], counts: np.ndarray
) -> Contextual:
    """Mean vectors, and mean cosines by way of |u1 + ... + un|^2 = n + the cosines of all ordered pairs."""
    within = (directions**2).sum(axis=2)
    ordered = counts * (counts - 1.0)
    own = np.where(counts > 1, (within - counts) / np.maximum(ordered, 1.0), np.nan)
    pairs = counts.sum() ** 2 - (counts**2).sum()
    between = (directions.sum(axis=1) ** 2).sum(axis=1) - within.sum(axis=1)
    return Contextual(sums / counts[:, None], own, between / pairs if pairs else np.full(len(sums), np.nan))


def _masked(subject: Subject, batch: Batch, spans: Sequence[list[int]]) -> Batch:
    """The batch with a mask token in place of every piece of the word (so their number stays known)."""
    token = subject.tokenizer.mask_token_id
    if token is None:
        raise InputError(
            f"{subject.name} has no mask token, so that a word cannot be hidden from it: leave out 'masked'"
        )
    ids = batch.ids.clone()
    for row, i in enumerate(batch.index):
        ids[row, torch.tensor(spans[i], device=ids.device)] = token
    return Batch(ids, batch.mask, batch.special, batch.index)
