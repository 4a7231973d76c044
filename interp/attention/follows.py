"""When two words exchange places: does the pattern follow the token or stay with the position (PROTOCOL 7).

The follows-token index of a swap compares, on the rows and columns of the two words, the map after the swap, A', with
the map before, A, in place and carried along: (sim(A', P A P') - sim(A', A)) / (1 - sim(A, P A P')). It is +1 where the
map moved with the tokens and -1 where it stayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp.attention.comparison import carried, comparable, pearson
from interp.attention.layout import Layout, inner_map
from interp.attention.perturbations import Given, Perturbed, attend, swap, swapped_text
from interp.attention.sentences import chunks
from interp.errors import InputError
from interp.resampling import interval
from interp.seeding import generator
from interp.subjects.subject import Subject


@dataclass(frozen=True)
class Swap:
    """A text and the two of its words that exchange places."""

    text: str
    pair: tuple[str, str]


def swappable(subject: Subject, swaps: Sequence[Swap]) -> list[Swap]:
    """Those whose words have equally many pieces in this subject, so that nothing else moves.

    Raises
    ------
    InputError
        If there is none.
    """
    kept = []
    for each in swaps:
        try:
            swapped_text(subject, each.text, each.pair)
        except InputError:
            continue
        kept.append(each)
    if not kept:
        raise InputError(f"none of {len(swaps)} pairs of words has equally many word pieces in {subject.name}")
    return kept


def follows_table(subject: Subject, swaps: Sequence[Swap], *, batch_size: int = 16) -> pd.DataFrame:
    """Similarities behind the follows-token index of every swap, layer and head.

    Returns
    -------
    DataFrame
        One row = (map, layer, head, text): `token` = sim(A', P A P'), `position` = sim(A', A) and `unmoved` =
        sim(A, P A P'), Pearson correlations over the rows and columns of the swapped words, on the ``full`` and the
        ``inner`` map. See `index`.
    """
    texts = [s.text for s in swaps]
    apply = swap(subject, 0)
    rows = []
    for chunk in chunks(subject, texts, batch_size):
        mine = chunk.batch.index
        given = Given(tuple(texts[i] for i in mine), chunk.batch, tuple(swaps[i].pair for i in mine))
        layout, perturbed = Layout.of(subject, chunk.batch), apply(given)
        before, after = (attend(subject, p) for p in (Perturbed(chunk.batch, perturbed.order), perturbed))
        for layer, (a, now) in enumerate(zip(before, after), start=1):
            for which, found in compared(a, now, layout, perturbed.order).items():
                heads = found["token"].shape[1]
                text, head = np.meshgrid(np.asarray(mine), np.arange(1, heads + 1), indexing="ij")
                frame = {"map": which, "layer": layer, "head": head.ravel(), "text": text.ravel()}
                rows.append(pd.DataFrame(frame | {k: v.cpu().numpy().ravel() for k, v in found.items()}))
    return pd.concat(rows, ignore_index=True)


def compared(
    before: Float[Tensor, "text head query key"],
    after: Float[Tensor, "text head query key"],
    layout: Layout,
    order: Int[Tensor, "text position"],
) -> dict[str, dict[str, Float[Tensor, "text head"]]]:
    """`token`, `position` and `unmoved` of each text and head, on the full and on the inner map."""
    kept = (~layout.special).nonzero()[:, 0]
    rank = torch.full((len(layout.special),), -1, dtype=torch.long, device=order.device)
    rank[kept] = torch.arange(len(kept), device=order.device)
    views = {
        "full": (before.double(), after.double(), layout, order),
        "inner": (inner_map(before, layout), inner_map(after, layout), layout.inner(), rank[order[:, kept]]),
    }
    found = {}
    for which, (a, now, mine, moved) in views.items():
        touched = moved != torch.arange(moved.shape[1], device=moved.device)
        cells = comparable(mine, moved) & (touched[:, :, None] | touched[:, None, :])
        along = carried(a, moved)
        found[which] = {
            "token": pearson(now, along, cells),
            "position": pearson(now, a, cells),
            "unmoved": pearson(a, along, cells),
        }
    return found


def index(table: pd.DataFrame, by: Sequence[str] = ("map", "layer", "head")) -> pd.Series:
    """Follows-token index, the ratio of sums over texts (a text whose map the swap leaves alone decides nothing)."""
    sums = _parts(table).groupby([table[b] for b in by], sort=True).sum()
    return sums["top"] / sums["bottom"]


def _parts(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"top": table["token"] - table["position"], "bottom": 1 - table["unmoved"]})


def index_by_layer(table: pd.DataFrame, *, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """The index over all heads of a layer, and of all layers (layer 0), with bootstrap intervals over texts.

    Returns
    -------
    DataFrame
        One row = (map, layer): `value`, `low`, `high`, `replicates`.
    """
    parts = pd.concat([table[["map", "layer", "text"]], _parts(table)], axis=1)
    return _ratios(parts.dropna(), ["map"], resamples, level)


def _ratios(parts: pd.DataFrame, by: list[str], resamples: int, level: float) -> pd.DataFrame:
    """sum(top) / sum(bottom) by `by` and layer, layer 0 for all layers, replicates over texts."""
    texts = np.sort(parts["text"].unique())
    counts = generator(0, "texts").multinomial(len(texts), np.full(len(texts), 1 / len(texts)), size=resamples)
    both = pd.concat([parts.assign(layer=0), parts], ignore_index=True)
    rows = []
    for key, group in both.groupby([*by, "layer"], sort=True):
        sums = group.groupby("text")[["top", "bottom"]].sum().reindex(texts).fillna(0).to_numpy()
        replicates = (counts @ sums[:, 0]) / (counts @ sums[:, 1])
        low, high = interval(replicates, level)
        rows.append((*key, float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high), replicates))
    return pd.DataFrame(rows, columns=[*by, "layer", "value", "low", "high", "replicates"])
