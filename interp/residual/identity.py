"""Token identity: whether a hidden state can still be matched to the token it started from (PROTOCOL 8).

Targets, what a state is matched with: ``table``, the row of its type in the token-embedding table; ``input``, the
embedding output at its position. Views, how: ``raw`` cosine; ``centred``, after the means of the fitting sentences are
subtracted; ``ridge``, a linear map fitted on other sentences (compared centred, too, or the common mean would match
everything). The texts are dealt into fitting, development and test sentences; a share of the types is withheld from
the first two, so that the map can be judged on types that it has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from interp.errors import InputError
from interp.residual.lookup import Candidates, Queries
from interp.residual.ridge import LinearMap, Moments, ridge
from interp.seeding import generator
from interp.subjects.subject import Batch, Subject

TARGETS = ("table", "input")
VIEWS = ("raw", "centred", "ridge")
MEASURES = {
    "cosine": "cosine of the state (or its image under the map) with its own target",
    "above other sentences": "the same, less the mean cosine with targets of other types from other sentences",
    "above the sentence": "the same, less the mean cosine with targets of other types of the same sentence",
    "retrieval, sentence": "how often the nearest target of the sentence is of the own type",
    "chance, sentence": "the same for a blind guess: the share of the sentence's positions that hold the own type",
    "retrieval, vocabulary": "how often the nearest of all candidate types, each at this position, is the own one",
}
"""What is measured, per position."""

SHARES = (0.5, 0.15, 0.35)
"""Of the texts: fitting, development, test."""
REFERENCES = 512
"""Positions of fitting sentences whose targets stand for "other sentences"."""

Key: TypeAlias = tuple[str, str, str, int]
"""Target, view, measure, layer."""


@dataclass(frozen=True)
class Tokens:
    """The ordinary positions of a batch, special tokens left out."""

    states: Float[Tensor, "layer token width"]
    """After the embedding (layer 0) and after each block."""
    types: Int[Tensor, "token"]
    positions: Int[Tensor, "token"]
    rows: Int[Tensor, "token"]
    """Which row of the batch."""

    def targets(self, subject: Subject, target: str) -> Float[Tensor, "token width"]:
        """What the states are matched with."""
        return subject.embeddings[self.types].float() if target == "table" else self.states[0]


def read(subject: Subject, batch: Batch) -> Tokens:
    """Run one batch and keep the hidden states of its ordinary positions."""
    with torch.no_grad(), subject.capture(["embed", "blocks.*.resid_post"]) as trace:
        subject(batch)
    inner = ~batch.special
    rows, positions = inner.nonzero(as_tuple=True)
    states = torch.stack([trace[site][inner] for site in ("embed", *[s for s in trace.sites if s != "embed"])])
    return Tokens(states.float(), batch.ids[inner], positions, rows)


@dataclass(frozen=True)
class Deal:
    """Which texts serve what, and which types are withheld from the fit."""

    fit: list[int]
    development: list[int]
    test: list[int]
    withheld: Bool[Tensor, "type"]

    @classmethod
    def of(cls, texts: int, types: int, withheld: float, seed: int) -> Deal:
        """Deal `texts` texts at random, and withhold a share of `types` types."""
        order = generator(seed, "identity", "texts").permutation(texts)
        first, second = (round(texts * share) for share in np.cumsum(SHARES[:2]))
        out = generator(seed, "identity", "types").random(types) < withheld
        return cls(sorted(order[:first]), sorted(order[first:second]), sorted(order[second:]), torch.from_numpy(out))


class References:
    """Types and targets of at most `REFERENCES` positions out of a stream of `count`; the others are let go."""

    def __init__(self, count: int, seed: int) -> None:
        self._chosen = torch.from_numpy(generator(seed, "identity", "references").permutation(count)[:REFERENCES])
        self._passed = 0
        self._types: list[Tensor] = []
        self._targets: dict[str, list[Tensor]] = {t: [] for t in TARGETS}

    def add(self, types: Int[Tensor, "token"], targets: Mapping[str, Float[Tensor, "token width"]]) -> None:
        """Offer the positions of one batch."""
        here = self._chosen - self._passed
        mine = here[(here >= 0) & (here < len(types))].to(types.device)
        self._passed += len(types)
        self._types.append(types[mine])
        for target, kept in self._targets.items():
            kept.append(targets[target][mine])

    @property
    def types(self) -> Int[Tensor, "reference"]:
        """Of the positions drawn."""
        return torch.cat(self._types)

    def vectors(self) -> dict[str, Float[Tensor, "reference width"]]:
        """What states at the positions drawn are matched with."""
        return {target: torch.cat(kept) for target, kept in self._targets.items()}


class Fitted:
    """What the fitting and development sentences leave behind, per target: means, maps, references, seen types."""

    def __init__(self, subject: Subject, texts: Sequence[str], deal: Deal, batch_size: int, seed: int) -> None:
        self.seen = torch.zeros(len(subject.embeddings), dtype=torch.bool)
        layers, width = subject.n_layers + 1, subject.width
        fit, development = ({t: [Moments(width, width) for _ in range(layers)] for t in TARGETS} for _ in range(2))
        fitting = [texts[i] for i in deal.fit]
        positions = sum(int((~batch.special).sum()) for batch in subject.batches(fitting, batch_size))
        references = References(positions, seed)
        for mine, moments in ((fitting, fit), ([texts[i] for i in deal.development], development)):
            for batch in subject.batches(mine, batch_size):
                tokens = read(subject, batch)
                used = ~deal.withheld[tokens.types.cpu()].to(tokens.types.device)
                targets = {t: tokens.targets(subject, t) for t in TARGETS}
                for target, by_layer in moments.items():
                    for layer, m in enumerate(by_layer):
                        m.add(tokens.states[layer, used], targets[target][used])
                if moments is fit:
                    self.seen[tokens.types[used].cpu()] = True
                    references.add(tokens.types, targets)
        if any(m.n == 0 for by_target in (fit, development) for ms in by_target.values() for m in ms):
            raise InputError("too few texts to fit a map on: give more, or withhold fewer types")
        self.maps: dict[str, list[LinearMap]] = {
            t: [ridge(f, d) for f, d in zip(fit[t], development[t], strict=True)] for t in TARGETS
        }
        self.reference_types, self.references = references.types, references.vectors()

    def look(self, target: str, view: str, layer: int, states: Float[Tensor, "*batch width"]) -> Tensor:
        """Unit vectors of states as `view` sees them."""
        map_ = self.maps[target][layer]
        if view == "raw":
            return normalize(states, dim=-1)
        return normalize(states - map_.mean_x.to(states) if view == "centred" else map_.centred(states), dim=-1)

    def aim(self, target: str, view: str, vectors: Float[Tensor, "*batch width"]) -> Tensor:
        """Unit vectors of targets as `view` compares them."""
        mean = self.maps[target][0].mean_y.to(vectors)
        return normalize(vectors if view == "raw" else vectors - mean, dim=-1)


def identity_table(
    subject: Subject,
    texts: Sequence[str],
    *,
    types: int = 5000,
    queries: int = 2000,
    withheld: float = 0.25,
    batch_size: int = 32,
    seed: int = 0,
) -> pd.DataFrame:
    """How well hidden states are matched with their tokens, per layer (0: the embedding output), target and view.

    Parameters
    ----------
    types
        Candidate types of the retrieval among the vocabulary, at least (PROTOCOL: 5,000).
    queries
        Test positions that are looked up among the vocabulary, at most; the other measures use all test positions.
    withheld
        Share of the types that fitting and development never see.

    Returns
    -------
    DataFrame
        One row = (target, view, measure, types, layer, text), `types` being ``all``, ``seen`` or ``unseen`` in the fit,
        with `tokens`, `positions` (how many were averaged) and `value` (their mean): `residual.pooled` takes it.

    Raises
    ------
    InputError
        For fewer than ten texts, or none left to fit on.
    """
    if len(texts) < 10:
        raise InputError(f"{len(texts)} texts are too few: some are fitted on, some tested; give at least 10")
    deal = Deal.of(len(texts), len(subject.embeddings), withheld, seed)
    fitted = Fitted(subject, texts, deal, batch_size, seed)
    rows: list[pd.DataFrame] = []
    asked = Queries(queries)
    with tqdm(total=len(deal.test), desc=f"{subject.name}, identity", unit="text") as bar:
        for batch in subject.batches([texts[i] for i in deal.test], batch_size):
            tokens = read(subject, batch)
            seen = fitted.seen[tokens.types.cpu()]
            index = torch.tensor([deal.test[i] for i in batch.index])[tokens.rows.cpu()]
            lengths = torch.full_like(index, batch.ids.shape[1])
            rows.append(_by_text(dict(_in_sentences(subject, tokens, fitted)), seen, index, lengths))
            asked.add(tokens.states, tokens.types, tokens.positions, index, lengths, seen)
            bar.update(len(batch))
    candidates = Candidates.of(subject, asked.types, fitted.seen, types, seed)
    for target in TARGETS:
        hits = {
            (t, view, "retrieval, vocabulary", layer): values
            for (t, view, layer), values in candidates.hits(subject, asked, target, VIEWS, fitted)
        }
        rows.append(_by_text(hits, asked.seen, asked.texts, asked.lengths))
    return pd.concat(rows, ignore_index=True)


def _in_sentences(subject: Subject, tokens: Tokens, fitted: Fitted) -> Iterator[tuple[Key, Tensor]]:
    """The measures within sentences, per token: ((target, view, measure, layer), values)."""
    same_text = tokens.rows[:, None] == tokens.rows[None]
    same_type = tokens.types[:, None] == tokens.types[None]
    other = same_text & ~same_type
    elsewhere = tokens.types[:, None] != fitted.reference_types[None]
    chance = (same_text & same_type).sum(dim=1) / same_text.sum(dim=1)
    for target in TARGETS:
        vectors = tokens.targets(subject, target)
        for view in VIEWS:
            own, references = (fitted.aim(target, view, v) for v in (vectors, fitted.references[target]))
            for layer, states in enumerate(tokens.states):
                looked = fitted.look(target, view, layer, states)
                similar = looked @ own.T
                cosine = similar.diagonal()
                near = similar.masked_fill(~same_text, -torch.inf).argmax(dim=1)
                found = {
                    "cosine": cosine,
                    "above other sentences": cosine - _masked_mean(looked @ references.T, elsewhere),
                    "above the sentence": cosine - _masked_mean(similar, other),
                    "retrieval, sentence": (tokens.types[near] == tokens.types).float(),
                    "chance, sentence": chance,
                }
                for measure, values in found.items():
                    yield (target, view, measure, layer), values


def _masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the columns that count; NaN where none does."""
    return (x * mask).sum(dim=1) / mask.sum(dim=1)


def _by_text(found: Mapping[Key, Tensor], seen: Tensor, texts: Tensor, lengths: Tensor) -> pd.DataFrame:
    """Means per text of values per token, all columns at once: a frame for each would take longer than the model."""
    values = torch.stack([v.double().cpu() for v in found.values()])
    here, row = texts.unique(return_inverse=True)
    member = torch.nn.functional.one_hot(row, len(here)).double()
    tokens = torch.zeros(len(here), dtype=torch.long).scatter_(0, row, lengths)
    frames = []
    for group, mask in {"all": torch.ones_like(seen), "seen": seen, "unseen": ~seen}.items():
        counted = (values.isfinite() & mask).double()
        count = counted @ member
        mean = (values.nan_to_num() * counted) @ member / count
        key, text = (count > 0).nonzero(as_tuple=True)
        if not len(key):
            continue
        frame = pd.DataFrame([list(found)[i] for i in key], columns=["target", "view", "measure", "layer"])
        frame.insert(3, "types", group)
        there = {"text": here[text], "tokens": tokens[text], "positions": count[key, text].long()}
        frames.append(frame.assign(**{k: v.numpy() for k, v in there.items()}, value=mean[key, text].numpy()))
    return pd.concat(frames, ignore_index=True)


def first_below(table: pd.DataFrame, threshold: float) -> int | None:
    """The first layer from which on the pooled value has fallen below `threshold`; None where it never does.

    Parameters
    ----------
    table
        Rows of `residual.pooled` of one quantity, one a layer.
    """
    low = table.loc[table["value"] < threshold, "layer"]
    return int(low.min()) if len(low) else None
