"""Every token gets another token's vector: the token-embedding table with its ordinary rows permuted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Int

from interp.seeding import generator
from interp.subjects.subject import Subject


def ordinary_rows(subject: Subject) -> Int[np.ndarray, "row"]:
    """Rows of the embedding table that ordinary text can reach, in order.

    Left out: special and added tokens, BERT's ``[unused7]`` and their like, and rows beyond the vocabulary, which pad
    the table.
    """
    tokenizer = subject.tokenizer
    fixed = set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values())
    rows = [
        row
        for token, row in tokenizer.get_vocab().items()
        if row not in fixed and not (token.startswith(("[unused", "<unused")) and token.endswith(("]", ">")))
    ]
    return np.array(sorted(row for row in rows if row < len(subject.embeddings)), dtype=np.int64)


def permutation(rows: Int[np.ndarray, "row"], seed: int, *, bins: int = 1) -> Int[np.ndarray, "row"]:
    """For each of `rows`, the row whose vector it gets: never its own, each once.

    Parameters
    ----------
    bins
        Permute only within so many bins of neighbouring ids. Vocabularies are built by frequency, so that neighbours
        in the table are about equally frequent. A bin of one row keeps it.
    """
    donor = rows.copy()
    rng = generator(seed, "shuffle-embeddings")
    for part in np.array_split(np.arange(len(rows)), bins):
        # One cycle through a random order has no fixed point.
        order = rng.permutation(part)
        donor[order] = rows[np.roll(order, -1)]
    return donor


@contextmanager
def shuffled_embeddings(subject: Subject, seed: int = 0, *, bins: int = 1) -> Iterator[Subject]:
    """Within the block, `subject` has its ordinary embedding rows permuted; afterwards it is as it was, always.

    Examples
    --------
    >>> from interp import subjects
    >>> model = subjects.load("minilm")
    >>> with shuffled_embeddings(model, seed=1):
    ...     scrambled = model.embeddings[2003].clone()
    >>> bool((scrambled == model.embeddings[2003]).all())
    False
    """
    table = subject.embeddings
    rows = ordinary_rows(subject)
    donor = permutation(rows, seed, bins=bins)
    where, whence = torch.from_numpy(rows).to(table.device), torch.from_numpy(donor).to(table.device)
    kept = table.clone()
    try:
        with torch.no_grad():
            table[where] = kept[whence]
        yield subject
    finally:
        with torch.no_grad():
            table.copy_(kept)
