"""Which texts attention is measured on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from interp.errors import InputError
from interp.subjects.subject import Batch, Subject

TOKENS = (16, 48)
"""Fewest and most tokens of a text, special ones included (PROTOCOL 7)."""
DIFFERENT_WORDS = 8


def eligible(subject: Subject, texts: Sequence[str]) -> list[str]:
    """The texts of 16 to 48 tokens with at least 8 different words.

    Raises
    ------
    InputError
        If there is none.
    """
    kept = []
    for text in texts:
        length = len(subject.tokenizer(text, verbose=False)["input_ids"])
        words = {word.lower() for word in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text)}
        if TOKENS[0] <= length <= TOKENS[1] and len(words) >= DIFFERENT_WORDS:
            kept.append(text)
    if not kept:
        raise InputError(
            f"none of {len(texts)} texts has {TOKENS[0]} to {TOKENS[1]} tokens of {subject.name} and at least "
            f"{DIFFERENT_WORDS} different words"
        )
    return kept


@dataclass(frozen=True)
class Chunk:
    """Some texts of one length, and the one whose map serves the last of them as that of an unrelated text."""

    batch: Batch
    extra: Batch | None
    """One more text; None where this is the only text of its length."""


def chunks(subject: Subject, texts: Sequence[str], size: int) -> Iterator[Chunk]:
    """All texts in batches of one length; the next text of that length, in a ring, is each one's unrelated text.

    So which text is held against which depends on the list of texts alone, not on the batch size.
    """
    for group in subject.batches(texts, max(len(texts), 1)):
        count = len(group)
        for start in range(0, count, size):
            stop = min(start + size, count)
            yield Chunk(_rows(group, start, stop), _rows(group, stop % count, stop % count + 1) if count > 1 else None)


def _rows(batch: Batch, start: int, stop: int) -> Batch:
    chosen = slice(start, stop)
    return replace(
        batch,
        ids=batch.ids[chosen],
        mask=batch.mask[chosen],
        special=batch.special[chosen],
        index=batch.index[chosen],
    )
