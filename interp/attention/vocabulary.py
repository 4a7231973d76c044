"""What a subject's vocabulary holds: which tokens are ordinary, how frequent they are, which are punctuation."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp.corpora import embedded
from interp.subjects.subject import Batch, Subject

BINS = (10, 32, 100, 316, 1000, 3162, 10_000, 31_623)
"""Frequency ranks at which a bin ends: two bins a decade."""

_UNUSED = re.compile(r"\[unused\d+\]")


def ordinary(subject: Subject) -> Int[np.ndarray, "token"]:
    """Ids of the tokens that text is made of: no special tokens, no unused rows of the embedding table."""
    words = subject.tokenizer.convert_ids_to_tokens(list(range(min(len(subject.tokenizer), len(subject.embeddings)))))
    special = set(subject.tokenizer.all_special_ids)
    kept = [i for i, word in enumerate(words) if word and i not in special and not _UNUSED.fullmatch(word)]
    return np.array(kept)


def frequency_bins(subject: Subject) -> list[Int[np.ndarray, "token"]]:
    """The ordinary tokens, most frequent first, cut at `BINS`.

    A token's rank goes by its count in the package's own sentences; those that do not occur there come after in the
    order of the vocabulary, which WordPiece and BPE fill with the most frequent pieces first.
    """
    texts = [*embedded.table("plain")["sentence"], *embedded.table("contexts")["sentence"]]
    coded = subject.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    counts = np.bincount([i for row in coded for i in row], minlength=len(subject.embeddings))
    ids = ordinary(subject)
    ranked = ids[np.argsort(-counts[ids], kind="stable")]
    return [group for group in np.split(ranked, [b for b in BINS if b < len(ranked)]) if len(group)]


def punctuation(subject: Subject, batch: Batch) -> Bool[Tensor, "text position"]:
    """Which places hold punctuation (special tokens apart)."""
    ids = batch.ids.cpu()
    is_mark = {int(i): _is_mark(str(subject.tokenizer.decode([int(i)]))) for i in ids.unique()}
    marks = torch.tensor([[is_mark[int(i)] for i in row] for row in ids], dtype=torch.bool).view(ids.shape)
    return marks.to(batch.ids.device) & ~batch.special


def _is_mark(word: str) -> bool:
    letters = word.strip().removeprefix("##")
    return bool(letters) and all(unicodedata.category(c).startswith("P") for c in letters)
