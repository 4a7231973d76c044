"""The training text: public-domain books, their tokenizer, and windows of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from interp.corpora.prose import sentences
from interp.seeding import generator

HELD_OUT_BOOKS = 3
PAD, UNKNOWN, BEGIN = "[PAD]", "[UNK]", "[BOS]"


@dataclass(frozen=True)
class Prose:
    """Sentences in reading order; whole books are held out."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    books: tuple[str, ...]
    """Which books are held out."""

    @property
    def checksum(self) -> str:
        """sha256 of all sentences, the training text first."""
        return hashlib.sha256("\n".join((*self.train, "", *self.held_out)).encode()).hexdigest()


def load(seed: int = 0) -> Prose:
    """The books, `HELD_OUT_BOOKS` of them held out.

    Raises
    ------
    InputError
        If a file is not here or has other bytes than the known ones.
    """
    table = sentences()
    books = np.sort(table["doc"].unique())
    chosen = sorted(generator(seed, "held-out books").choice(books, size=HELD_OUT_BOOKS, replace=False).tolist())
    out = table["doc"].isin(chosen)
    return Prose(tuple(table.loc[~out, "sentence"]), tuple(table.loc[out, "sentence"]), tuple(chosen))


def tokenizer(texts: Iterable[str], size: int, longest: int) -> Any:
    """An uncased WordPiece vocabulary of `size` tokens made from `texts`; every text begins with ``[BOS]``.

    Each text has that one special place, as nothing else could tell a decoder without positions where a text begins.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    special = [PAD, UNKNOWN, BEGIN]
    made.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, made.token_to_id(BEGIN))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=PAD, unk_token=UNKNOWN, bos_token=BEGIN, model_max_length=longest
    )


def windows(coder: Any, texts: Iterable[str], size: int) -> Int[np.ndarray, "window position"]:
    """Running text cut into windows of `size` tokens, each of which begins with ``[BOS]`` and with a sentence.

    A window ends in the middle of a sentence, and the next begins with that sentence again, unless it filled a
    window by itself.
    """
    rows: list[list[int]] = []
    current: list[int] = []
    begin = coder.bos_token_id
    for coding in coder.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False):
        ids = coding.ids
        current += ids
        if len(current) >= size - 1:
            fresh = len(current) == len(ids)
            rows.append([begin, *current[: size - 1]])
            current = [] if fresh or len(ids) >= size - 1 else list(ids)
    return np.array(rows, dtype=np.int32)
