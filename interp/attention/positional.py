"""How much of attention the places alone predict: positional share (PROTOCOL 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm import tqdm

from interp.attention.layout import Layout, inner_map, relative
from interp.attention.perturbations import PERTURBATIONS, Given, attend
from interp.errors import InputError
from interp.resampling import interval
from interp.seeding import generator
from interp.subjects.subject import Batch, Subject

ENOUGH = 300
"""Fewest texts of one length: with fewer, a mean map predicts new texts badly for want of texts."""

WHICH = ("inner", "full")


def one_length(subject: Subject, texts: Sequence[str], *, least: int = ENOUGH) -> list[str]:
    """The texts of the commonest length (in tokens).

    Raises
    ------
    InputError
        If there are fewer than `least`.
    """
    lengths = [len(subject.tokenizer(text, verbose=False)["input_ids"]) for text in texts]
    if not lengths:
        raise InputError("no texts to look at")
    length, count = max(Counter(lengths).items(), key=lambda item: (item[1], -item[0]))
    if count < least:
        raise InputError(
            f"positional share needs {least} texts of one length, and the commonest ({length} tokens of "
            f"{subject.name}) has {count}"
        )
    return [text for text, n in zip(texts, lengths) if n == length]


def positional_table(
    subject: Subject, texts: Sequence[str], *, perturbation: str = "intact", seed: int = 0, batch_size: int = 16
) -> pd.DataFrame:
    """Squared errors of predicting attention weights from (query place, key place), leaving out the text predicted.

    The prediction for a cell is the mean of that cell over all other texts; its squared error follows from the mean
    over all texts, (n / (n - 1))^2 (x - m)^2, so that two passes over the texts give the exact leave-one-out result
    with one mean map per head in memory.

    Parameters
    ----------
    texts
        At least two, of one length (`one_length`).

    Returns
    -------
    DataFrame
        One row = (map, layer, head, text): `error` (squared error of the prediction) and `spread` (squared deviation
        from even attention over the admissible keys), both summed over cells. See `share`.

    Raises
    ------
    InputError
        For fewer than two texts, or texts of different lengths.
    """
    if len(texts) < 2:
        raise InputError(f"positional share needs texts to compare, not {len(texts)}")
    batches = list(subject.batches(texts, batch_size))
    if len({b.ids.shape[1] for b in batches}) > 1:
        raise InputError("positional share needs texts of one length")
    apply = PERTURBATIONS[perturbation].make(subject, seed)

    def maps(batch: Batch) -> dict[str, Float[Tensor, "layer text head query key"]]:
        given = Given(tuple(texts[i] for i in batch.index), batch)
        layout = Layout.of(subject, batch)
        every = attend(subject, apply(given))
        return {
            "inner": torch.stack([relative(inner_map(m, layout), layout.inner()) for m in every]),
            "full": torch.stack([relative(m.double(), layout) for m in every]),
        }

    sums = {which: torch.zeros((), dtype=torch.float64) for which in WHICH}
    for batch in tqdm(batches, desc=f"{subject.name}, mean maps"):
        for which, found in maps(batch).items():
            sums[which] = sums[which].to(found.device) + found.sum(dim=1)
    rows = []
    for batch in tqdm(batches, desc=f"{subject.name}, errors"):
        layout = Layout.of(subject, batch)
        for which, found in maps(batch).items():
            size = found.shape[-1]
            even = 1.0 if layout.causal else 1 / size
            cells = (layout.inner() if which == "inner" else layout).admissible.clone()
            cells[0] &= not layout.causal
            error, spread = errors(found, sums[which] / len(texts), len(texts), cells, even)
            rows.append(_rows(which, batch.index, error, spread))
    return pd.concat(rows, ignore_index=True)


def errors(
    maps: Float[Tensor, "layer text head query key"],
    mean: Float[Tensor, "layer head query key"],
    count: int,
    cells: Bool[Tensor, "query key"],
    even: float,
) -> tuple[Float[Tensor, "layer text head"], Float[Tensor, "layer text head"]]:
    """Leave-one-out error of each text given the mean of all `count`, and its spread about `even`, over `cells`."""
    error = ((maps - mean[:, None]).square() * cells).sum(dim=(3, 4)) * (count / (count - 1)) ** 2
    return error, ((maps - even).square() * cells).sum(dim=(3, 4))


def _rows(which: str, index: Sequence[int], error: Tensor, spread: Tensor) -> pd.DataFrame:
    layers, _, heads = error.shape
    layer, text, head = np.meshgrid(np.arange(1, layers + 1), np.asarray(index), np.arange(1, heads + 1), indexing="ij")
    return pd.DataFrame(
        {
            "map": which,
            "layer": layer.ravel(),
            "head": head.ravel(),
            "text": text.ravel(),
            "error": error.cpu().numpy().ravel(),
            "spread": spread.cpu().numpy().ravel(),
        }
    )


def share(table: pd.DataFrame, by: Sequence[str] = ("map", "layer", "head")) -> pd.Series:
    """Positional share, 1 - error / spread: cross-validated R2. 1: the places say it all; 0: no more than evenness."""
    sums = table.groupby(list(by), sort=True)[["error", "spread"]].sum()
    return 1 - sums["error"] / sums["spread"]


def share_by_layer(table: pd.DataFrame, *, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """`share` over all heads of a layer, and of all layers (layer 0), with bootstrap intervals over texts.

    The mean maps that predict are those of all texts, and are not made anew for each resample.

    Returns
    -------
    DataFrame
        One row = (map, layer): `value`, `low`, `high`.
    """
    texts = np.sort(table["text"].unique())
    counts = generator(0, "texts").multinomial(len(texts), np.full(len(texts), 1 / len(texts)), size=resamples)
    both = pd.concat([table.assign(layer=0), table], ignore_index=True)
    rows = []
    for (which, layer), group in both.groupby(["map", "layer"], sort=True):
        sums = group.groupby("text")[["error", "spread"]].sum().reindex(texts).to_numpy()
        low, high = interval(1 - (counts @ sums[:, 0]) / (counts @ sums[:, 1]), level)
        rows.append((which, int(layer), 1 - sums[:, 0].sum() / sums[:, 1].sum(), float(low), float(high)))
    return pd.DataFrame(rows, columns=["map", "layer", "value", "low", "high"])
