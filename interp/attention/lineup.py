"""A line-up: the trained model's map of a real sentence among maps that only look like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from interp.attention.layout import Layout, inner_map
from interp.attention.perturbations import PERTURBATIONS, Apply, Given, attend
from interp.attention.structure import entropy, moran_excess
from interp.errors import InputError
from interp.seeding import generator
from interp.subjects.subject import Subject


@dataclass(frozen=True)
class Candidate:
    """Where a map comes from."""

    label: str
    subject: Subject
    perturbation: str = "intact"
    seed: int = 0

    @cached_property
    def _apply(self) -> Apply:
        return PERTURBATIONS[self.perturbation].make(self.subject, self.seed)

    def attend(self, text: str) -> list[Float[Tensor, "1 head query key"]]:
        """The maps of one text over all its tokens, layer by layer."""
        return attend(self.subject, self._apply(Given((text,), self.subject.encode([text]))))

    def maps(self, text: str) -> tuple[Float[Tensor, "layer head query key"], Layout]:
        """The inner maps of one text, and its layout without special tokens."""
        layout = Layout.of(self.subject, self.subject.encode([text]))
        every = torch.cat([inner_map(m, layout) for m in self.attend(text)])
        return every, layout.inner()


PLAYERS = {
    "most spatial structure": "takes the map with the largest Moran excess",
    "most concentrated": "takes the map with the smallest entropy",
}
"""Players without eyes: each goes by one measure of a single map."""


def players_table(candidates: Sequence[Candidate], texts: Sequence[str]) -> pd.DataFrame:
    """What each player takes for the first candidate, over every layer and head of every text.

    Returns
    -------
    DataFrame
        One row = (player, label, text): `value`, the share of layers and heads in which the player takes that map.
        Shares of one text add up to 1 over the labels; ties are split.

    Raises
    ------
    InputError
        For no texts.
    """
    if not texts:
        raise InputError("no texts to look at")
    rows = []
    for number, text in enumerate(tqdm(texts, desc="line-up")):
        scores: dict[str, list[Tensor]] = {player: [] for player in PLAYERS}
        for candidate in candidates:
            maps, layout = candidate.maps(text)
            scores["most spatial structure"].append(moran_excess(maps, layout))
            scores["most concentrated"].append(-entropy(maps, layout))
        for player, each in scores.items():
            found = torch.stack(each)
            best = (found >= found.max(dim=0).values).double()
            taken = (best / best.sum(dim=0)).mean(dim=(1, 2)).tolist()
            rows += [(player, c.label, number, value) for c, value in zip(candidates, taken)]
    return pd.DataFrame(rows, columns=["player", "label", "text", "value"])


def rounds(
    candidates: Sequence[Candidate], texts: Sequence[str], *, count: int, seed: int = 0, longest: int = 18
) -> list[dict[str, Any]]:
    """Rounds of the guessing page: a text, a layer and a head at random, and every candidate's map of them.

    Maps are inner ones, each up to its own largest weight, so that no candidate is given away by being faint.

    Parameters
    ----------
    longest
        Most tokens of a text, so that its maps can be drawn side by side.

    Raises
    ------
    InputError
        If no text is short enough.
    """
    subject = candidates[0].subject
    short = [t for t in texts if len(subject.encode([t]).ids[0]) <= longest + int(subject.encode([t]).special.sum())]
    if not short:
        raise InputError(f"the line-up needs texts of at most {longest} tokens, and none of {len(texts)} is so short")
    rng = generator(seed, "line-up")
    found = []
    for at in rng.choice(len(short), size=count, replace=count > len(short)):
        layer, head = int(rng.integers(subject.n_layers)), int(rng.integers(subject.n_heads))
        batch = subject.encode([short[at]])
        tokens = [t for t, special in zip(subject.tokens(batch), batch.special[0].tolist()) if not special]
        maps = []
        for candidate in candidates:
            cells = candidate.maps(short[at])[0][layer, head].cpu().numpy()
            maps.append({"label": candidate.label, "cells": cells / np.max(cells)})
        found.append({"tokens": tokens, "note": f"Layer {layer + 1}, head {head + 1}.", "maps": maps})
    return found
