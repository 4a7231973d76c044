"""A subject: a model with its tokenizer, watched through one set of site names whatever its family."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from interp.errors import InputError
from interp.subjects.anatomy import Anatomy, anatomy_of, part
from interp.subjects.capture import Trace, captured, site_names
from interp.subjects.intervene import embedding_table, positions_moved

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Batch:
    """Tokenised texts, on the subject's device."""

    ids: Int[Tensor, "text position"]
    mask: Int[Tensor, "text position"]
    """1 for tokens, 0 for padding (which is always at the end)."""
    special: Bool[Tensor, "text position"]
    """[CLS], [SEP], beginning of text; padding, too."""
    index: tuple[int, ...]
    """Which of the texts given these are."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Subject:
    """A transformer under study. Made by `interp.subjects.load`; never in training mode, never with gradients kept."""

    name: str
    identity: str
    """What exactly was loaded (revision or checksum, twin, seed): part of every stored result's address."""
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def anatomy(self) -> Anatomy:
        """Where the model's parts lie."""
        return anatomy_of(self.model.config.model_type)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """The numbers it computes with."""
        return self.model.dtype

    @property
    def causal(self) -> bool:
        """Whether a position sees only earlier ones."""
        return self.anatomy.causal

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def n_heads(self) -> int:
        """Attention heads per block."""
        return int(self.model.config.num_attention_heads)

    @property
    def width(self) -> int:
        """Size of the residual stream."""
        return int(self.model.config.hidden_size)

    @property
    def longest(self) -> int:
        """How many tokens a text may have, special ones included."""
        return int(getattr(self.model.config, "max_position_embeddings", 10**9))

    @property
    def blocks(self) -> list[nn.Module]:
        """The transformer blocks, in order."""
        return list(part(self.model, self.anatomy.blocks).children())

    @property
    def sites(self) -> list[str]:
        """Names that `capture` knows."""
        return site_names(self.n_layers)

    @cached_property
    def embeddings(self) -> Float[Tensor, "token width"]:
        """The token-embedding table."""
        table = part(self.model, self.anatomy.embedding)
        assert isinstance(table, nn.Embedding)
        return table.weight.detach()

    def encode(self, texts: Sequence[str]) -> Batch:
        """Tokenise with the model's own special tokens, padded at the end.

        Raises
        ------
        InputError
            For a text without tokens, or longer than the model's positions.
        """
        if not texts:
            raise InputError("no text to encode")
        rows = [self._row(text) for text in texts]
        return self._batch(rows, tuple(range(len(rows))))

    def batches(self, texts: Sequence[str], size: int = 32) -> Iterator[Batch]:
        """Texts in batches of one length each, so that nothing is ever padded; `Batch.index` says which they are."""
        rows = [self._row(text) for text in texts]
        by_length: dict[int, list[int]] = {}
        for i, (ids, _) in enumerate(rows):
            by_length.setdefault(len(ids), []).append(i)
        for length in sorted(by_length):
            members = by_length[length]
            for start in range(0, len(members), size):
                index = tuple(members[start : start + size])
                yield self._batch([rows[i] for i in index], index)

    def _row(self, text: str) -> tuple[list[int], list[int]]:
        if not _is_unicode(text):
            raise InputError(f"text {text!r} is not in UTF-8: some of its bytes are no characters")
        coded = self.tokenizer(text, return_special_tokens_mask=True, verbose=False)
        ids, special = coded["input_ids"], coded["special_tokens_mask"]
        if all(special):
            raise InputError(f"text {text!r} has no tokens")
        if len(ids) > self.longest:
            raise InputError(
                f"a text has {len(ids)} tokens, and {self.name} takes {self.longest} at most: {text[:40]!r}..."
            )
        return list(ids), list(special)

    def _batch(self, rows: Sequence[tuple[list[int], list[int]]], index: tuple[int, ...]) -> Batch:
        longest = max(len(ids) for ids, _ in rows)
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else 0
        ids = torch.full((len(rows), longest), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        special = torch.ones_like(ids, dtype=torch.bool)
        for i, (tokens, flags) in enumerate(rows):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            mask[i, : len(tokens)] = 1
            special[i, : len(tokens)] = torch.tensor(flags, dtype=torch.bool)
        return Batch(ids.to(self.device), mask.to(self.device), special.to(self.device), index)

    def tokens(self, batch: Batch, row: int = 0) -> list[str]:
        """The tokens of one text, as the tokenizer spells them, without padding."""
        count = int(batch.mask[row].sum())
        return list(self.tokenizer.convert_ids_to_tokens(batch.ids[row, :count].tolist()))

    def __call__(self, batch: Batch, **kwargs: Any) -> Any:
        """Run the model (without gradients, unless the caller enabled them)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and kwargs.pop("gradients", False)):
            return self.model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, **kwargs)

    def capture(self, sites: Sequence[str], *, detach: bool = True) -> AbstractContextManager[Trace]:
        """Capture activations by site name or pattern (``blocks.*.attn.weights``) during the with-block.

        Raises
        ------
        InputError
            For a pattern that matches no site.
        """
        return captured(self.model, self.anatomy, sites, detach=detach)

    def maps(self, trace: Trace) -> list[Float[Tensor, "text head query key"]]:
        """The attention weights of every layer, from a trace that captured them.

        Raises
        ------
        InputError
            For a subject whose attention gives no weights.
        """
        found = trace.stack("blocks.*.attn.weights")
        if len(found) != self.n_layers:
            raise InputError(
                f"{self.name} gave attention weights for {len(found)} of its {self.n_layers} layers: load it with "
                "interp.subjects.load, which sets attention that shows its weights"
            )
        return found

    def with_embeddings(self, table: Float[Tensor, "token width"]) -> AbstractContextManager[None]:
        """Run with another token-embedding table during the with-block; the subject's own is not touched."""
        return embedding_table(self.model, self.anatomy, table)

    def with_positions(self, order: Int[Tensor, "text position"]) -> AbstractContextManager[None]:
        """Give each place another place's position during the with-block (see `intervene.positions_moved`).

        Raises
        ------
        InputError
            For an architecture whose positions cannot be given.
        """
        return positions_moved(self.model, self.anatomy, order)

    def word_of(self, text: str) -> list[int | None]:
        """For each token of `text`, which word (as the tokenizer splits them) it belongs to; None for special ones.

        Raises
        ------
        InputError
            For a tokenizer that does not say.
        """
        if not self.tokenizer.is_fast:
            raise InputError(f"the tokenizer of {self.name} does not say which word a token belongs to")
        return list(self.tokenizer(text, verbose=False).word_ids())

    def span(self, text: str, start: int, end: int) -> list[int]:
        """Places of the tokens that spell the characters ``start:end`` of `text`.

        Raises
        ------
        InputError
            For a tokenizer that does not say.
        """
        if not self.tokenizer.is_fast:
            raise InputError(f"the tokenizer of {self.name} does not say which characters a token spells")
        offsets = self.tokenizer(text, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        return [i for i, (a, b) in enumerate(offsets) if a < end and b > start and b > a]

    def pieces(self, lemma: str) -> tuple[int, ...]:
        """Sub-word ids of a lemma as it would stand inside a text, without special tokens.

        Byte-level vocabularies spell the blank before a word into its first piece, so they get the blank, too.

        Raises
        ------
        InputError
            If the lemma is empty or the vocabulary cannot spell it.
        """
        text = f" {lemma}" if self._blank_first else lemma
        ids = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        if not ids:
            raise InputError(f"lemma {lemma!r} has no tokens in {self.name}; leave the concept out or give it a lemma")
        if self.tokenizer.unk_token_id is not None and self.tokenizer.unk_token_id in ids:
            raise InputError(
                f"lemma {lemma!r} has pieces that the vocabulary of {self.name} does not know; leave the concept out "
                "or give it a lemma that is spelled otherwise"
            )
        return ids

    @cached_property
    def _blank_first(self) -> bool:
        return self.tokenizer("a b", add_special_tokens=False)["input_ids"] != (
            self.tokenizer("a", add_special_tokens=False)["input_ids"]
            + self.tokenizer("b", add_special_tokens=False)["input_ids"]
        )

    def lemma_vectors(
        self, lemmas: Sequence[str], site: str = "wordpiece", *, batch_size: int = 64
    ) -> Float[np.ndarray, "lemma width"]:
        """One vector per lemma, float64, the mean over its sub-words (PROTOCOL 3).

        Parameters
        ----------
        site
            ``"wordpiece"``: rows of the token-embedding table, nothing run. ``"layer:L"``: the hidden state after
            block L (0: the embedding output) of the lemma between the model's special tokens.

        Raises
        ------
        InputError
            For an unknown site, a layer the model does not have, or a lemma the vocabulary cannot spell.
        """
        words = list(dict.fromkeys(lemmas))
        pieces = [self.pieces(word) for word in words]
        if site == "wordpiece":
            vectors = torch.stack([self.embeddings[list(ids)].double().mean(dim=0) for ids in pieces])
        else:
            vectors = self._hidden(pieces, self._site_of_layer(site), batch_size)
        row = {word: i for i, word in enumerate(words)}
        return vectors.cpu().numpy()[[row[lemma] for lemma in lemmas]]

    def _site_of_layer(self, site: str) -> str:
        found = re.fullmatch(r"layer:([0-9]{1,6})", site)
        if not found:
            raise InputError(f"unknown embedding {site!r}: 'wordpiece' or 'layer:L' with L = 0..{self.n_layers}")
        layer = int(found.group(1))
        if layer > self.n_layers:
            raise InputError(f"embedding {site!r}: {self.name} has layers 0..{self.n_layers}")
        return "embed" if layer == 0 else f"blocks.{layer - 1}.resid_post"

    def _hidden(self, pieces: Sequence[tuple[int, ...]], site: str, batch_size: int) -> Float[Tensor, "word width"]:
        """Mean hidden state over the sub-words, in batches of one length."""
        vectors = torch.empty(len(pieces), self.width, dtype=torch.float64)
        lengths = np.array([len(ids) for ids in pieces])
        front, back = self._special_frame
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length)
            for start in range(0, len(members), batch_size):
                mine = members[start : start + batch_size]
                rows = [([*front, *pieces[i], *back], [1] * len(front) + [0] * length + [1] * len(back)) for i in mine]
                with self.capture([site]) as trace:
                    self(self._batch(rows, tuple(mine)))
                inner = trace[site][:, len(front) : len(front) + length].double().mean(dim=1)
                vectors[mine] = inner.cpu()
        return vectors

    @cached_property
    def _special_frame(self) -> tuple[list[int], list[int]]:
        """Special tokens that the tokenizer puts before and after a text."""
        coded = self.tokenizer("a", return_special_tokens_mask=True)
        flags = coded["special_tokens_mask"]
        first = flags.index(0)
        last = len(flags) - 1 - flags[::-1].index(0)
        return list(coded["input_ids"][:first]), list(coded["input_ids"][last + 1 :])


def _is_unicode(text: str) -> bool:
    """Whether `text` can be spelled in UTF-8; bytes of a shell's argument that are in another encoding cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
