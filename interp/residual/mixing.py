"""Own share and mixing over many texts: one row a text, layer and method, so that memory does not grow with maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from tqdm import tqdm

from interp.errors import InputError
from interp.resampling import interval
from interp.residual.contributions import METHODS, Method
from interp.residual.forward import PROBES
from interp.residual.tracing import BatchTrace, trace_batch
from interp.seeding import generator
from interp.subjects.subject import Subject

QUANTITIES = {
    "own share": "share of a position that its own token contributes in this block",
    "own share, cumulated": "share of a position that the input token there contributes, through all blocks so far",
    "own share, cumulated (unnormalised)": "the same, the blocks' matrices multiplied first and normalised at the end",
    "mixing ratio": "||context|| / (||context|| + ||own||) in this block (Kobayashi et al. 2021)",
    "mixing ratio, cumulated": "the same for the input tokens' vectors, carried through all blocks so far",
    "largest": "how often the own token is the largest contributor in this block",
    "largest, cumulated": "how often the input token at a position is its largest contributor",
    "bias share": "norm of the biases' part, as a share of all parts' norms",
    "bias share, cumulated": "the same, through all blocks so far",
    "stated error": "relative standard error of one contribution, mean over the row, where they are estimates",
    "stated error, cumulated": "the same, cumulated",
    "uniform attention": "the own share, cumulated, that uniform attention would give by this method's construction",
}
"""What is measured, per position."""


def mixing_table(
    subject: Subject,
    texts: Sequence[str],
    methods: Sequence[str],
    *,
    batch_size: int = 16,
    probes: int | None = PROBES,
    seed: int = 0,
) -> pd.DataFrame:
    """Own share and mixing of every text, layer and method.

    Statistics are over the positions that hold no special token; special tokens stay as sources (PROTOCOL 8).

    Parameters
    ----------
    probes
        Random directions per source token for `gradient`; None computes it exactly.

    Returns
    -------
    DataFrame
        One row = (method, quantity, layer, text), with `tokens` (length with special tokens), `positions` (how many
        were averaged) and `value` (their mean).

    Raises
    ------
    InputError
        For no texts, an unknown method, or one that has no definition for this subject.
    """
    chosen = [METHODS[m] for m in methods]
    for method in chosen:
        method.check(subject)
    if not texts:
        raise InputError("no texts to trace")
    found = _Means(len(texts))
    with tqdm(total=len(texts), desc=f"{subject.name}, {len(chosen)} methods", unit="text") as bar:
        for batch in subject.batches(texts, batch_size):
            index, inner = list(batch.index), ~batch.special
            count = inner.sum(dim=1)
            found.tokens[index], found.positions[index] = inner.shape[1], count.cpu().numpy()
            for name, trace in trace_batch(subject, batch, [m.name for m in chosen], probes=probes, seed=seed).items():
                for quantity, values in _quantities(METHODS[name], trace, causal=subject.causal).items():
                    found.put((name, quantity), index, (values * inner).sum(dim=2) / count)
            bar.update(len(batch))
    return found.table()


class _Means:
    """A number a text, layer and quantity: all that grows with the texts.

    Each has its place from the beginning. A small array kept from every batch would lie between what batches use and
    give back, and hold the memory.
    """

    def __init__(self, texts: int) -> None:
        self.values: dict[tuple[str, str], Float[np.ndarray, "layer text"]] = {}
        self.tokens, self.positions = np.zeros((2, texts), dtype=int)

    def put(self, key: tuple[str, str], index: Sequence[int], means: Float[torch.Tensor, "layer text"]) -> None:
        """Those of the texts `index`, of one method and quantity."""
        if key not in self.values:
            self.values[key] = np.full((len(means), len(self.tokens)), np.nan)
        self.values[key][:, index] = means.double().cpu().numpy()

    def table(self) -> pd.DataFrame:
        """One row a method, quantity, layer and text."""
        sizes, depths = [v.size for v in self.values.values()], [len(v) for v in self.values.values()]
        method, quantity = (np.repeat(np.array(column, dtype=object), sizes) for column in zip(*self.values))
        return pd.DataFrame(
            {
                "method": method,
                "quantity": quantity,
                "layer": np.repeat(np.concatenate([np.arange(1, depth + 1) for depth in depths]), len(self.tokens)),
                "text": np.tile(np.arange(len(self.tokens)), sum(depths)),
                "tokens": np.tile(self.tokens, sum(depths)),
                "positions": np.tile(self.positions, sum(depths)),
                "value": np.concatenate([v.ravel() for v in self.values.values()]),
            }
        )


def _quantities(method: Method, trace: BatchTrace, *, causal: bool) -> dict[str, torch.Tensor]:
    """Per layer, text and position."""
    found = {}
    for suffix, layers in (("", trace.blocks), (", cumulated", trace.cumulated)):
        found[f"own share{suffix}"] = layers.own
        found[f"largest{suffix}"] = _own_largest(layers.share)
        if layers.ratio is not None:
            found[f"mixing ratio{suffix}"] = layers.ratio
        if layers.bias is not None:
            found[f"bias share{suffix}"] = layers.bias
        if layers.error is not None:
            found[f"stated error{suffix}"] = layers.error.mean(dim=-1)
    for form, layers in trace.further.items():
        found[f"own share, cumulated ({form})"] = layers.own
    if method.reference is not None:
        depth, _, length = trace.blocks.own.shape
        line = method.reference(depth, length, causal).to(trace.blocks.own)
        found["uniform attention"] = line[:, None].expand(trace.blocks.own.shape)
    return found


def _own_largest(matrix: torch.Tensor) -> torch.Tensor:
    own = torch.diagonal(matrix, dim1=2, dim2=3)
    return (own >= matrix.max(dim=-1).values).float()


def pooled(
    table: pd.DataFrame,
    *,
    by: Sequence[str] = ("method", "quantity", "layer"),
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Means over positions, pooled over texts, with bootstrap intervals over texts.

    Returns
    -------
    DataFrame
        One row = one group of `by`: `value`, `low`, `high`, `tokens` (mean text length with special tokens), `texts`
        (how many) and `replicates` (one array a row).
    """
    texts = np.sort(table["text"].unique())
    rng = generator(0, "texts")
    counts = rng.multinomial(len(texts), np.full(len(texts), 1 / len(texts)), size=resamples).astype(float)
    rows = []
    for key, group in table.groupby(list(by), sort=False):
        mine = counts[:, np.searchsorted(texts, group["text"])]
        weight = group["positions"].to_numpy(dtype=float)
        total = weight * group["value"].to_numpy()
        drawn = mine @ weight
        replicates = np.divide(mine @ total, drawn, out=np.full(resamples, np.nan), where=drawn > 0)
        low, high = interval(replicates, level)
        value = total.sum() / weight.sum()
        row = (value, float(low), float(high), group["tokens"].mean(), group["text"].nunique(), replicates)
        rows.append((*key, *row))
    return pd.DataFrame(rows, columns=[*by, "value", "low", "high", "tokens", "texts", "replicates"])
