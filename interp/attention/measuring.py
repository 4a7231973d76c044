"""Structure of maps, and their sameness under perturbations, over a stream of texts: no map outlives its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from interp.attention.comparison import calibrated, similarities
from interp.attention.layout import Layout
from interp.attention.perturbations import PERTURBATIONS, Given, attend, intact
from interp.attention.sentences import chunks
from interp.attention.structure import structure
from interp.errors import InputError
from interp.resampling import interval
from interp.seeding import generator
from interp.subjects.subject import Subject

UNRELATED, IN_PLACE, CARRIED = "unrelated", "in place", "carried along"


@dataclass
class _Heads:
    """Running sums per head of what is defined."""

    total: np.ndarray = field(default_factory=lambda: np.zeros(0))
    count: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, values: np.ndarray) -> None:
        """`values`: (text, layer, head)."""
        finite = np.isfinite(values)
        total, count = np.where(finite, values, 0).sum(axis=0), finite.sum(axis=0)
        self.total, self.count = (self.total + total, self.count + count) if self.total.size else (total, count)


def map_tables(
    subject: Subject,
    texts: Sequence[str],
    perturbations: Sequence[str],
    *,
    seeds: Sequence[int] = (0,),
    pairs: Sequence[tuple[str, str]] | None = None,
    batch_size: int = 16,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Structure of every map under every perturbation, and its similarity to the intact one.

    Parameters
    ----------
    pairs
        The two words of each text that `swap` exchanges.

    Returns
    -------
    texts
        One row = (perturbation, seed, layer, text): a column for each measure of `structure.MEASURES`, and for each
        similarity one to the intact map (``..., in place``, ``..., carried along``) and, in rows of `intact`, one to
        the map of an unrelated text of equal length (``..., unrelated``). Means over heads.
    heads
        One row = (perturbation, layer, head) with the same columns, means over texts and seeds.

    Raises
    ------
    InputError
        For no texts, an unknown perturbation, a swap without words.
    """
    if not texts:
        raise InputError("no texts to look at")
    chosen = [PERTURBATIONS[name] for name in dict.fromkeys(["intact", *perturbations])]
    # One draw for what draws nothing.
    made = [(p, s, p.make(subject, s)) for p in chosen for s in (seeds if p.name not in ("intact", "swap") else [0])]
    whole = intact(subject, 0)
    rows: list[pd.DataFrame] = []
    heads: dict[tuple[str, str], _Heads] = {}
    with tqdm(total=len(texts), desc=f"{subject.name}, {len(made)} perturbations", unit="text") as bar:
        for chunk in chunks(subject, texts, batch_size):
            batch, index = chunk.batch, chunk.batch.index
            given = Given(
                tuple(texts[i] for i in index), batch, None if pairs is None else tuple(pairs[i] for i in index)
            )
            layout = Layout.of(subject, batch)
            before = _stacked(attend(subject, whole(given)))
            extra = None if chunk.extra is None else _stacked(attend(subject, whole(Given((), chunk.extra))))
            for p, seed, apply in made:
                perturbed = apply(given)
                after = before if p.name == "intact" else _stacked(attend(subject, perturbed))
                found = structure(after, Layout.of(subject, perturbed.batch))
                if p.name != "intact":
                    found |= _named(similarities(after, before, layout), IN_PLACE)
                    if p.moves:
                        found |= _named(similarities(after, before, layout, perturbed.order), CARRIED)
                elif extra is not None:
                    found |= _named(similarities(before, torch.cat([before[1:], extra]), layout), UNRELATED)
                values = {k: v.view(len(batch), subject.n_layers, -1).cpu().numpy() for k, v in found.items()}
                rows.append(_rows(p.name, seed, index, values))
                for name, value in values.items():
                    heads.setdefault((p.name, name), _Heads()).add(value)
            bar.update(len(batch))
    return pd.concat(rows, ignore_index=True), _head_table(heads)


def _named(values: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    return {f"{name}, {how}": value for name, value in values.items()}


def _stacked(maps: list[torch.Tensor]) -> torch.Tensor:
    """The maps of all layers side by side as if they were heads of one: measures do not care, and it is faster."""
    return torch.cat([m.double() for m in maps], dim=1)


def _rows(name: str, seed: int, index: Sequence[int], values: dict[str, np.ndarray]) -> pd.DataFrame:
    layers = next(iter(values.values())).shape[1]
    text, layer = np.meshgrid(np.asarray(index), np.arange(1, layers + 1), indexing="ij")
    return pd.DataFrame(
        {"perturbation": name, "seed": seed, "layer": layer.ravel(), "text": text.ravel()}
        | {key: _mean(value, axis=2).ravel() for key, value in values.items()}
    )


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is defined; NaN where nothing is."""
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _head_table(heads: dict[tuple[str, str], _Heads]) -> pd.DataFrame:
    columns: dict[str, dict[str, np.ndarray]] = {}
    for (name, measure), sums in heads.items():
        mean = np.divide(sums.total, sums.count, out=np.full(sums.total.shape, np.nan), where=sums.count > 0)
        columns.setdefault(name, {})[measure] = mean
    frames = []
    for name, found in columns.items():
        layers, count = next(iter(found.values())).shape
        layer, head = np.meshgrid(np.arange(1, layers + 1), np.arange(1, count + 1), indexing="ij")
        frame = {"perturbation": name, "layer": layer.ravel(), "head": head.ravel()}
        frames.append(pd.DataFrame(frame | {k: v.ravel() for k, v in found.items()}))
    return pd.concat(frames, ignore_index=True)


KEPT = {"moran": "kept, spatial structure", "concentration": "kept, concentration"}
SAME = "same map"
FLOOR = 0.02
"""Where the intact maps have no more structure than this there is nothing to keep, and no share of it (PROTOCOL 5)."""


def pooled(table: pd.DataFrame, *, by_layer: bool = False, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """Means over texts with bootstrap intervals over texts, and what is read off them.

    Beside the measures themselves: ``kept, spatial structure`` (Moran excess divided by that of the intact maps),
    ``kept, concentration`` (1 - inner entropy, likewise) and ``same map, ...`` (similarity calibrated so that 0 is an
    unrelated text of equal length and 1 identity). Twins may be appended to the table as perturbations of the weights.

    Parameters
    ----------
    table
        The first table of `map_tables`; several can be concatenated if their texts are the same ones.

    Returns
    -------
    DataFrame
        One row = (perturbation, layer, quantity): `value`, `low`, `high`, `replicates`. Layer 0 is the mean over
        layers, and the only one unless `by_layer`.
    """
    keys = ["perturbation", "seed", "layer", "text"]
    measures = [c for c in table.columns if c not in keys]
    texts = np.sort(table["text"].unique())
    counts = generator(0, "texts").multinomial(len(texts), np.full(len(texts), 1 / len(texts)), size=resamples)
    layers = [0, *sorted(table["layer"].unique())] if by_layer else [0]
    rows: list[tuple] = []
    for layer in layers:
        mine = table if layer == 0 else table[table["layer"] == layer]
        means = mine.groupby(["perturbation", "text"], sort=False)[measures].mean()
        intact_rows = _replicated(means.loc["intact"].reindex(texts), counts) if "intact" in means.index else {}
        for name in mine["perturbation"].unique():
            found = _replicated(means.loc[name].reindex(texts), counts)
            for quantity, (value, replicates) in _derived(found, intact_rows).items():
                low, high = interval(replicates, level)
                rows.append((name, int(layer), quantity, float(value), float(low), float(high), replicates))
    return pd.DataFrame(rows, columns=["perturbation", "layer", "quantity", "value", "low", "high", "replicates"])


Replicated = dict[str, tuple[float, np.ndarray]]


def _replicated(means: pd.DataFrame, counts: np.ndarray) -> Replicated:
    """Mean over texts of each column that has any value, and of each resample."""
    found = {}
    for column in means.columns:
        values = means[column].to_numpy(dtype=float)
        there = np.isfinite(values)
        if there.any():
            weight = counts[:, there].sum(axis=1)
            total = counts[:, there] @ values[there]
            replicates = np.divide(total, weight, out=np.full(len(counts), np.nan), where=weight > 0)
            found[column] = (float(values[there].mean()), replicates)
    return found


def _derived(found: Replicated, whole: Replicated) -> Replicated:
    result = {k: v for k, v in found.items() if not k.endswith((IN_PLACE, CARRIED, UNRELATED))}
    if "moran" in found and whole.get("moran", (0.0,))[0] > FLOOR:
        result[KEPT["moran"]] = _both(lambda x, base: x / base, found["moran"], whole["moran"])
    even = "entropy, inner"
    if even in found and 1 - whole.get(even, (1.0,))[0] > FLOOR:
        result[KEPT["concentration"]] = _both(lambda x, base: (1 - x) / (1 - base), found[even], whole[even])
    for key, value in found.items():
        if key.endswith((IN_PLACE, CARRIED)):
            similarity, which, how = key.split(", ")
            zero = whole.get(f"{similarity}, {which}, {UNRELATED}")
            if zero is not None:
                result[f"{SAME}, {similarity}, {which}, {how}"] = _both(calibrated, value, zero)
    return result


def _both(
    function: Callable[..., Any], value: tuple[float, np.ndarray], base: tuple[float, np.ndarray]
) -> tuple[float, np.ndarray]:
    """A function of two estimates, and of their replicates."""
    return float(function(value[0], base[0])), function(value[1], base[1])


def head_values(heads: pd.DataFrame, perturbation: str, similarity: str, how: str = IN_PLACE) -> pd.Series:
    """Calibrated similarity (``"pearson, inner"``) of each (layer, head) to its own intact map."""
    mine = heads[heads["perturbation"] == perturbation].set_index(["layer", "head"])[f"{similarity}, {how}"]
    zero = heads[heads["perturbation"] == "intact"].set_index(["layer", "head"])[f"{similarity}, {UNRELATED}"]
    return (mine - zero) / (1 - zero)
