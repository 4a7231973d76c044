"""Looking states up among thousands of types, each placed at the state's own position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp.errors import InputError
from interp.seeding import generator
from interp.subjects.anatomy import part
from interp.subjects.subject import Subject

AT_ONCE = 256
"""Candidate types whose vectors are held at once."""


class Views(Protocol):
    """How states and targets are seen: unit vectors of both."""

    def look(self, target: str, view: str, layer: int, states: Tensor) -> Tensor: ...

    def aim(self, target: str, view: str, vectors: Tensor) -> Tensor: ...


class Queries:
    """A uniform sample of at most `size` positions out of a stream of unknown length (reservoir by random keys)."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise InputError(f"cannot look up {size} positions: give at least 1")
        self.size = size
        self._rng = generator(0, "identity", "queries")
        self._keys = np.empty(0)
        self.states = torch.empty(0)
        self.types = self.positions = self.texts = self.lengths = torch.empty(0, dtype=torch.long)
        self.seen: Bool[Tensor, "query"] = torch.empty(0, dtype=torch.bool)

    def add(
        self,
        states: Float[Tensor, "layer token width"],
        types: Int[Tensor, "token"],
        positions: Int[Tensor, "token"],
        texts: Int[Tensor, "token"],
        lengths: Int[Tensor, "token"],
        seen: Bool[Tensor, "token"],
    ) -> None:
        """Offer the positions of one batch."""
        keys = np.concatenate([self._keys, self._rng.random(len(types))])
        kept = np.sort(np.argsort(keys, kind="stable")[: self.size])
        self._keys = keys[kept]
        offered = (states.cpu(), types.cpu(), positions.cpu(), texts, lengths, seen)
        mine = (self.states, self.types, self.positions, self.texts, self.lengths, self.seen)
        old, new = kept[kept < len(self.types)], kept[kept >= len(self.types)] - len(self.types)
        joined = []
        for a, b in zip(mine, offered, strict=True):
            by_token = b[:, new].transpose(0, 1) if b.ndim == 3 else b[new]
            joined.append(by_token if not len(old) else torch.cat([a[old], by_token]))
        self.states, self.types, self.positions, self.texts, self.lengths, self.seen = joined

    def __len__(self) -> int:
        return len(self.types)


class _Enough(Exception):
    """Raised once the embedding output is had: the blocks need not run."""


def embedding_output(subject: Subject, ids: Int[Tensor, "text position"]) -> Float[Tensor, "text position width"]:
    """What enters the first block for these ids, without running any block."""
    found: list[Tensor] = []

    def stop(_module: object, _args: object, output: object) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)  # type: ignore[arg-type]
        raise _Enough

    handle = part(subject.model, subject.anatomy.embedding_output).register_forward_hook(stop)
    try:
        with torch.no_grad():
            subject.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    except _Enough:
        pass  # the point of it
    finally:
        handle.remove()
    return found[0].float()


@dataclass(frozen=True)
class Candidates:
    """The types that a state is looked up among."""

    types: Int[Tensor, "candidate"]

    @classmethod
    def of(cls, subject: Subject, asked: Tensor, seen: Bool[Tensor, "type"], count: int, seed: int) -> Candidates:
        """The types asked for, those seen in the fit, and random ordinary types up to `count` (or all there are)."""
        wanted = seen.clone()
        wanted[asked] = True
        spelling = subject.tokenizer.convert_ids_to_tokens(list(range(min(len(seen), len(subject.tokenizer)))))
        special = set(subject.tokenizer.all_special_ids)
        ordinary = [i for i, s in enumerate(spelling) if s and i not in special and not s.startswith("[unused")]
        rest = np.asarray([i for i in ordinary if not wanted[i]], dtype=np.int64)
        missing = max(0, count - int(wanted.sum()))
        wanted[generator(seed, "identity", "candidates").permutation(rest)[:missing]] = True
        return cls(wanted.nonzero()[:, 0])

    def hits(
        self, subject: Subject, asked: Queries, target: str, views: Sequence[str], fitted: Views
    ) -> Iterator[tuple[tuple[str, str, int], Bool[Tensor, "query"]]]:
        """Whether the nearest candidate is the own type: ((target, view, layer), one a query).

        For ``input`` every candidate stands at the query's own position, so that only the type can tell them apart.
        """
        device, layers = subject.device, asked.states.shape[1]
        states = asked.states.to(device)
        looked = {v: torch.stack([fitted.look(target, v, i, states[:, i]) for i in range(layers)], 1) for v in views}
        best = {v: torch.full((len(asked), layers), -torch.inf, device=device) for v in views}
        nearest = {v: torch.zeros(len(asked), layers, dtype=torch.long, device=device) for v in views}
        places = [(asked.positions == p).nonzero()[:, 0].to(device) for p in asked.positions.unique()]
        for some in self.types.to(device).split(AT_ONCE):
            vectors = self._vectors(subject, some, asked, target)
            for mine in places if target == "input" else [torch.arange(len(asked), device=device)]:
                here = vectors[:, asked.positions[mine[0].cpu()]] if target == "input" else vectors
                for view in views:
                    similar, at = (looked[view][mine] @ fitted.aim(target, view, here).T).max(dim=-1)
                    nearer = similar > best[view][mine]
                    nearest[view][mine] = torch.where(nearer, some[at], nearest[view][mine])
                    best[view][mine] = torch.where(nearer, similar, best[view][mine])
        for view in views:
            right = nearest[view].cpu() == asked.types[:, None]
            for layer in range(layers):
                yield (target, view, layer), right[:, layer]

    @staticmethod
    def _vectors(subject: Subject, some: Tensor, asked: Queries, target: str) -> Tensor:
        """Candidates' targets: rows of the table, or embedding outputs at every position that is asked for."""
        if target == "table":
            return subject.embeddings[some].float()
        length = int(asked.positions.max()) + 1
        return embedding_output(subject, some[:, None].expand(-1, length).contiguous())
