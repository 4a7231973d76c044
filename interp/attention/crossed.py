"""Token, position and role apart: active and passive, each with the two nouns either way round (PROTOCOL 7).

Exchanging two nouns in one sentence changes where each stands *and* what it does. Over an active sentence, its
passive, and both with the nouns exchanged, each noun stands first and second, as agent and as patient: a full
2 x 2 x 2 design of
token, position and role, one observation a cell. What a noun looks at, and what looks at it, is split exactly into the
seven orthogonal effects of such a design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from interp.attention.follows import _ratios
from interp.attention.layout import Layout, inner_map
from interp.attention.perturbations import Given, attend, intact, word_span
from interp.errors import InputError
from interp.subjects.subject import Subject

FACTORS = ("token", "position", "role")
EFFECTS = {
    "token": ("token",),
    "position": ("position",),
    "role": ("role",),
    "voice (position x role)": ("position", "role"),
    "token x position": ("token", "position"),
    "token x role": ("token", "role"),
    "token x position x role": FACTORS,
}
"""One degree of freedom each: a response that depends on nothing here gives each one seventh."""

VOICES = {"active": (1, 1), "passive": (-1, -1), "active_reversed": (-1, 1), "passive_reversed": (1, -1)}
"""Sentence: which noun stands first (+1 the item's first), and the first one's role (+1 agent)."""


@dataclass(frozen=True)
class Item:
    """Four sentences about two nouns."""

    nouns: tuple[str, str]
    sentences: dict[str, str]
    """By the names of `VOICES`."""


def usable(subject: Subject, items: Sequence[Item]) -> list[Item]:
    """Those whose nouns have equally many pieces, with the same words before and after the nouns in all sentences.

    Raises
    ------
    InputError
        If there is none.
    """
    kept = [item for item in items if _frames(subject, item) is not None]
    if not kept:
        raise InputError(f"none of {len(items)} items fits the crossed design in {subject.name}")
    return kept


@dataclass(frozen=True)
class _Frame:
    """Places of the parts of one sentence."""

    first: list[int]
    second: list[int]
    length: int


def _frames(subject: Subject, item: Item) -> dict[str, _Frame] | None:
    if len(subject.pieces(item.nouns[0])) != len(subject.pieces(item.nouns[1])):
        return None
    frames, around = {}, set()
    for name, text in item.sentences.items():
        spans = sorted(word_span(text, noun) for noun in item.nouns)
        around.add((text[: spans[0][0]].lower(), text[spans[1][1] :].lower()))
        first, second = (subject.span(text, *span) for span in spans)
        frames[name] = _Frame(first, second, len(subject.encode([text]).ids[0]))
    return frames if len(around) == 1 else None


def crossed_table(subject: Subject, items: Sequence[Item], *, batch_size: int = 16) -> pd.DataFrame:
    """Sums of squares of each effect on what the two nouns attend to and receive.

    The response of a noun: its attention to, and from, every word before both nouns, every word after, itself, the
    other noun, what stands between (added up as keys, averaged as queries) and, on the full map, the special tokens.

    Returns
    -------
    DataFrame
        One row = (map, layer, head, text), text being the item: a column for each effect, and `total`. See `shares`.
    """
    frames = [_frames(subject, item) for item in items]
    if None in frames:
        raise InputError(f"item {items[frames.index(None)].nouns} does not fit the crossed design in {subject.name}")
    sentences = [(number, name, item.sentences[name]) for number, item in enumerate(items) for name in VOICES]
    responses: dict[tuple[str, int, str], list[Tensor]] = {}
    apply = intact(subject, 0)
    for batch in subject.batches([text for _, _, text in sentences], batch_size):
        layout = Layout.of(subject, batch)
        maps = attend(subject, apply(Given((), batch)))
        for which in ("full", "inner"):
            every = torch.stack([m.double() if which == "full" else inner_map(m, layout) for m in maps])
            kept = [i for i, special in enumerate(layout.special.tolist()) if which == "full" or not special]
            for row, at in enumerate(batch.index):
                number, name, _ = sentences[at]
                frame = frames[number]
                assert frame is not None
                responses[which, number, name] = noun_responses(every[:, row], frame[name], kept)
    signs = [sign for first, role in VOICES.values() for sign in ((first, 1, role), (-first, -1, -role))]
    rows = []
    for number in range(len(items)):
        for which in ("full", "inner"):
            found = torch.stack([noun for name in VOICES for noun in responses[which, number, name]])
            rows.append(_rows(which, number, effects(found, np.array(signs))))
    return pd.concat(rows, ignore_index=True)


def noun_responses(
    maps: Float[Tensor, "layer head query key"], frame: _Frame, kept: Sequence[int]
) -> list[Float[Tensor, "layer head part"]]:
    """What the first and the second noun attend to and receive, part by part; `kept` are the places the maps hold."""
    at = {place: i for i, place in enumerate(kept)}
    outside = [p for p in kept if p < frame.first[0] or p > frame.second[-1]]
    between = [at[p] for p in kept if frame.first[-1] < p < frame.second[0]]
    first, second = [at[p] for p in frame.first], [at[p] for p in frame.second]
    found = []
    for mine, other in ((first, second), (second, first)):
        parts = [*([at[p]] for p in outside), mine, other, between]
        given = [maps[:, :, mine][:, :, :, part].sum(dim=-1).mean(dim=-1) for part in parts]
        received = [maps[:, :, part][:, :, :, mine].sum(dim=-1).mean(dim=-1) for part in parts]
        found.append(torch.stack(given + received, dim=-1))
    return found


def effects(
    responses: Float[Tensor, "cell layer head part"], signs: Float[np.ndarray, "cell factor"]
) -> dict[str, Float[Tensor, "layer head"]]:
    """Sums of squares of the effects of a 2 x 2 x 2 design with one observation a cell, and their `total`."""
    factor = dict(zip(FACTORS, torch.as_tensor(signs, dtype=responses.dtype, device=responses.device).T))
    found = {}
    for name, together in EFFECTS.items():
        contrast = torch.stack([factor[f] for f in together]).prod(dim=0)
        found[name] = len(responses) * torch.einsum("c,clhp->lhp", contrast / len(responses), responses).square().sum(
            -1
        )
    found["total"] = (responses - responses.mean(dim=0)).square().sum(dim=(0, 3))
    return found


def _rows(which: str, number: int, found: dict[str, Tensor]) -> pd.DataFrame:
    layers, heads = found["total"].shape
    layer, head = np.meshgrid(np.arange(1, layers + 1), np.arange(1, heads + 1), indexing="ij")
    frame = {"map": which, "layer": layer.ravel(), "head": head.ravel(), "text": number}
    return pd.DataFrame(frame | {k: v.cpu().numpy().ravel() for k, v in found.items()})


def shares(table: pd.DataFrame, *, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """Share of the variance of each effect, by layer and over all layers (layer 0), intervals over items.

    Returns
    -------
    DataFrame
        One row = (map, effect, layer): `value`, `low`, `high`, `replicates`. ``position - token`` and ``role - token``
        are the differences of two shares.
    """
    wanted = {name: table[name] for name in EFFECTS}
    wanted["position - token"] = table["position"] - table["token"]
    wanted["role - token"] = table["role"] - table["token"]
    long = [
        table[["map", "layer", "text"]].assign(effect=name, top=top, bottom=table["total"])
        for name, top in wanted.items()
    ]
    return _ratios(pd.concat(long, ignore_index=True), ["map", "effect"], resamples, level)
