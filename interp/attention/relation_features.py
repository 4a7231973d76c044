"""Attention between two nouns of a sentence, per layer and head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.corpora.patterns import Sentence
from interp.errors import InputError
from interp.subjects import Subject

DIRECTIONS = ("back", "ahead")
"""``back``: from the later noun to the earlier one; ``ahead``: from the earlier to the later, which a causal subject
cannot do."""


def directions(causal: bool) -> tuple[str, ...]:
    """The directions in which attention can flow; a causal subject has no ``ahead``, and gets no feature for it."""
    return DIRECTIONS[:1] if causal else DIRECTIONS


def noun_pieces(subject: Subject, sentence: Sentence) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token positions of the concept and of the category, special tokens counted.

    A token belongs to a noun if they share a character. Byte-level vocabularies count the blank before a word as part
    of its first piece or not, as they are set up; both come out right.

    Raises
    ------
    InputError
        If the tokenizer does not say where its tokens stand, or a noun has none.
    """
    if not subject.tokenizer.is_fast:
        raise InputError(
            f"{subject.name}: its tokenizer does not tell where tokens stand in a text (no fast tokenizer)"
        )
    offsets = subject.tokenizer(sentence.text, return_offsets_mapping=True, verbose=False)["offset_mapping"]

    def inside(span: tuple[int, int]) -> tuple[int, ...]:
        return tuple(i for i, (start, end) in enumerate(offsets) if max(start, span[0]) < min(end, span[1]))

    found = inside(sentence.concept), inside(sentence.category)
    if not all(found) or set(found[0]) & set(found[1]):
        raise InputError(f"{subject.name} has no tokens of its own for both nouns of {sentence.text!r}")
    return found


def _membership(pieces: Sequence[tuple[int, ...]], length: int, device: torch.device) -> Bool[Tensor, "text position"]:
    inside = torch.zeros(len(pieces), length, dtype=torch.bool)
    for row, mine in enumerate(pieces):
        inside[row, list(mine)] = True
    return inside.to(device)


def pair_attention(
    subject: Subject, sentences: Sequence[Sentence], *, batch_size: int = 64
) -> Float[np.ndarray, "sentence direction layer head"]:
    """Attention between the two nouns of each sentence: the sum over pieces attended to, the mean over those that do.

    The sum is how much of its attention a piece gives to the whole noun (Clark et al. 2019, section 4.1, who turn
    token maps into word maps this way). Directions as in `directions`. Runs in batches of one length, so that nothing
    is padded, and keeps two numbers per head of a sentence.
    """
    pieces = [noun_pieces(subject, sentence) for sentence in sentences]
    ordered = [sorted(pair) for pair in pieces]  # the earlier noun first
    flows = directions(subject.causal)
    found = np.empty((len(sentences), len(flows), subject.n_layers, subject.n_heads), dtype=np.float64)
    for batch in subject.batches([s.text for s in sentences], batch_size):
        length = batch.ids.shape[1]
        earlier, later = (
            _membership([ordered[i][k] for i in batch.index], length, subject.device).double() for k in (0, 1)
        )
        with subject.capture(["blocks.*.attn.weights"]) as trace:
            subject(batch)
        for layer, weights in enumerate(subject.maps(trace)):
            for d, flow in enumerate(flows):
                queries, keys = (later, earlier) if flow == "back" else (earlier, later)
                mean = queries / queries.sum(dim=1, keepdim=True)
                flowing = torch.einsum("bq,bhqk,bk->bh", mean, weights.double(), keys)
                found[list(batch.index), d, layer] = flowing.cpu().numpy()
    return found
