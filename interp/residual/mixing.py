"""Own share and mixing over many texts: one row a text, layer and method, so that memory does not grow with maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from interp.errors import InputError
from interp.resampling import interval
from interp.residual.contributions import METHODS
from interp.residual.tracing import BatchTrace, trace_batch
from interp.seeding import generator
from interp.subjects.subject import Subject

QUANTITIES = {
    "own share": "share of a position that its own token contributes in this block",
    "own share, cumulated": "share of a position that the input token there contributes, rolled out to this layer",
    "mixing ratio": "||context|| / (||context|| + ||own||) in this block (Kobayashi et al. 2021)",
    "largest": "how often the own token is the largest contributor in this block",
    "largest, cumulated": "how often the input token at a position is its largest contributor, rolled out",
    "uniform attention": "the own share, cumulated, that uniform attention would give by this method's construction",
}
"""What is measured, per position."""


def mixing_table(
    subject: Subject, texts: Sequence[str], methods: Sequence[str], *, batch_size: int = 16
) -> pd.DataFrame:
    """Own share and mixing of every text, layer and method.

    Statistics are over the positions that hold no special token; special tokens stay as sources (PROTOCOL 8).

    Returns
    -------
    DataFrame
        One row = (method, quantity, layer, text), with `tokens` (length with special tokens), `positions` (how many
        were averaged) and `value` (their mean).
    """
    chosen = [METHODS[m].name for m in methods]
    if not texts:
        raise InputError("no texts to trace")
    rows: list[pd.DataFrame] = []
    with tqdm(total=len(texts), desc=f"{subject.name}, {len(chosen)} methods", unit="text") as bar:
        for batch in subject.batches(texts, batch_size):
            inner = ~batch.special
            for name, trace in trace_batch(subject, batch, list(chosen)).items():
                for quantity, per_position in _quantities(name, trace, causal=subject.causal).items():
                    rows.append(_rows(name, quantity, per_position, inner, batch.index))
            bar.update(len(batch))
    return pd.concat(rows, ignore_index=True)


def _quantities(method: str, trace: BatchTrace, *, causal: bool) -> dict[str, torch.Tensor]:
    """Per layer, text and position."""
    found = {
        "own share": torch.diagonal(trace.share, dim1=2, dim2=3),
        "own share, cumulated": torch.diagonal(trace.rollout, dim1=2, dim2=3),
        "largest": _own_largest(trace.share),
        "largest, cumulated": _own_largest(trace.rollout),
    }
    if trace.ratio is not None:
        found["mixing ratio"] = trace.ratio
    if not METHODS[method].own_share_is_free:
        layers, _, _, length = trace.share.shape
        found["uniform attention"] = _uniform_own_share(layers, length, causal)[:, None].expand(trace.share.shape[:3])
    return found


def _uniform_own_share(layers: int, length: int, causal: bool) -> torch.Tensor:
    """(layer, position): own share after each layer if every block attended evenly and kept half of what it had."""
    even = torch.ones(length, length).tril() if causal else torch.ones(length, length)
    block = (even / even.sum(dim=1, keepdim=True) + torch.eye(length)) / 2
    return torch.stack([torch.linalg.matrix_power(block, depth).diagonal() for depth in range(1, layers + 1)])


def _own_largest(matrix: torch.Tensor) -> torch.Tensor:
    own = torch.diagonal(matrix, dim1=2, dim2=3)
    return (own >= matrix.max(dim=-1).values).float()


def _rows(method: str, quantity: str, values: torch.Tensor, inner: torch.Tensor, index: Sequence[int]) -> pd.DataFrame:
    count = inner.sum(dim=1)
    mean = (values * inner).sum(dim=2) / count
    layers, n_texts = mean.shape
    return pd.DataFrame(
        {
            "method": method,
            "quantity": quantity,
            "layer": np.repeat(np.arange(1, layers + 1), n_texts),
            "text": np.tile(np.asarray(index), layers),
            "tokens": inner.shape[1],
            "positions": np.tile(count.cpu().numpy(), layers),
            "value": mean.double().cpu().numpy().ravel(),
        }
    )


def pooled(table: pd.DataFrame, *, resamples: int = 1000, level: float = 0.95) -> pd.DataFrame:
    """Means over positions, pooled over texts, with bootstrap intervals over texts.

    Returns
    -------
    DataFrame
        One row = (method, quantity, layer): `value`, `low`, `high`, `tokens` (mean text length with special tokens) and
        `replicates` (one array a row).
    """
    texts = np.sort(table["text"].unique())
    rng = generator(0, "texts")
    counts = rng.multinomial(len(texts), np.full(len(texts), 1 / len(texts)), size=resamples).astype(float)
    rows = []
    for (method, quantity, layer), group in table.groupby(["method", "quantity", "layer"], sort=False):
        mine = counts[:, np.searchsorted(texts, group["text"])]
        weight = group["positions"].to_numpy(dtype=float)
        total = weight * group["value"].to_numpy()
        replicates = (mine @ total) / (mine @ weight)
        low, high = interval(replicates, level)
        value = total.sum() / weight.sum()
        rows.append((method, quantity, layer, value, float(low), float(high), group["tokens"].mean(), replicates))
    return pd.DataFrame(rows, columns=["method", "quantity", "layer", "value", "low", "high", "tokens", "replicates"])
