"""What compression does to a subject's output, and what it saves."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from interp import corpora, subjects
from interp.errors import InputError
from interp.resampling import interval
from interp.seeding import generator
from interp.store import Tables, study
from interp.subjects.compression import silent_heads, weight_bytes
from interp.subjects.subject import Subject

IDENTITIES = {"subject": subjects.identify, "original": subjects.identify, "corpus": corpora.identify}


def _pooled_output(model: Subject, texts: list[str], batch_size: int) -> Float[Tensor, "text width"]:
    """One unit vector a text: the mean of the last hidden states over its ordinary tokens."""
    found = torch.empty(len(texts), model.width, dtype=torch.float64)
    for batch in model.batches(texts, batch_size):
        last = model(batch).last_hidden_state.double().cpu()
        kept = (~batch.special).double().cpu()
        pooled = (last * kept[..., None]).sum(dim=1) / kept.sum(dim=1, keepdim=True)
        found[list(batch.index)] = torch.nn.functional.normalize(pooled, dim=1)
    return found


@study("output-change", identities=IDENTITIES)
def _change(
    *, subject: str, original: str, corpus: str, texts: int, batch_size: int, dtype: str, device: str
) -> Tables:
    chosen = corpora.load(corpus).sample(texts)
    if len(chosen) < 3:
        raise InputError("the change of the output takes three texts or more")
    after, before = (
        _pooled_output(subjects.shared(name, dtype=dtype, device=device), chosen, batch_size)
        for name in (subject, original)
    )

    def neighbours(x: Tensor) -> tuple[Tensor, Tensor]:
        cosines = (x @ x.T).fill_diagonal_(-2.0)
        return cosines.argmax(dim=1), (cosines.sum(dim=1) + 2.0) / (len(x) - 1)

    (nearest, _), (known, typical) = neighbours(after), neighbours(before)
    return {
        "texts": pd.DataFrame(
            {
                "change": (1 - (after * before).sum(dim=1)).clamp(min=0.0).numpy(),
                "typical": (1 - typical).numpy(),
                "same neighbour": (nearest == known).double().numpy(),
            }
        )
    }


def output_change(
    subject: str,
    original: str,
    corpus: str = "plain",
    *,
    texts: int = 300,
    batch_size: int = 32,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """How far the output of `subject` is from that of `original`: the mean last hidden state of each sentence.

    Returns
    -------
    DataFrame
        Rows ``change`` (cosine distance from the original's output, as a share of the mean distance between two
        sentences: 0 none, 1 another sentence) and ``same neighbour`` (share of sentences whose nearest other sentence
        stays the same); `value`, `low`, `high` (95 % bootstrap over sentences).

    Raises
    ------
    InputError
        For fewer than three texts.
    """
    table = _change(
        subject=subject,
        original=original,
        corpus=corpus,
        texts=texts,
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )["texts"]
    n = len(table)
    counts = generator(0, "texts").multinomial(n, np.full(n, 1 / n), size=1000)
    rows = {}
    for name, top, bottom in (
        ("change", table["change"], table["typical"]),
        ("same neighbour", table["same neighbour"], pd.Series(np.ones(n))),
    ):
        low, high = interval((counts @ top.to_numpy()) / (counts @ bottom.to_numpy()))
        rows[name] = {"value": top.sum() / bottom.sum(), "low": float(low), "high": float(high)}
    return pd.DataFrame(rows).T


@study("cost", identities=IDENTITIES)
def _cost(
    *, subject: str, original: str, corpus: str, texts: int, rounds: int, batch_size: int, dtype: str, device: str
) -> Tables:
    chosen = corpora.load(corpus).sample(texts)
    models = [subjects.load(name, dtype=dtype, device=device) for name in (subject, original)]
    batches = [list(model.batches(chosen, batch_size)) for model in models]
    seconds = np.zeros((rounds + 1, 2))
    for i in range(rounds + 1):
        for j, model in enumerate(models):
            began = time.perf_counter()
            for batch in batches[j]:
                model(batch)
            if model.device.type == "cuda":
                torch.cuda.synchronize(model.device)
            seconds[i, j] = time.perf_counter() - began
    mine, its = seconds[1:].T  # the first round warms up
    return {
        "cost": pd.DataFrame(
            [
                {
                    "bytes": weight_bytes(models[0].model),
                    "share of bytes": weight_bytes(models[0].model) / weight_bytes(models[1].model),
                    "ms a sentence": 1000 * float(np.median(mine)) / len(chosen),
                    "times": float(np.median(mine / its)),
                    "fastest": float((mine / its).min()),
                    "slowest": float((mine / its).max()),
                }
            ]
        )
    }


def cost(
    subject: str,
    original: str,
    corpus: str = "plain",
    *,
    texts: int = 64,
    rounds: int = 5,
    batch_size: int = 32,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.Series:
    """Memory and time of a forward pass, on the machine that computes it, the two subjects by turns in one run.

    Returns
    -------
    Series
        ``bytes`` of the weights and ``share of bytes`` of the original's; ``ms a sentence``; ``times`` the original's
        time (median over rounds, and ``fastest`` and ``slowest``).
    """
    return _cost(
        subject=subject,
        original=original,
        corpus=corpus,
        texts=texts,
        rounds=rounds,
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )["cost"].iloc[0]


@study("silenced", identities={"subject": subjects.identify})
def _silenced(*, subject: str) -> Tables:
    return {"heads": pd.DataFrame(silent_heads(subjects.shared(subject).model), columns=["layer", "head"], dtype=int)}


def silenced(subject: str) -> pd.DataFrame:
    """The heads of a subject whose output does not reach the residual stream: layer and head, from 1."""
    return _silenced(subject=subject)["heads"]
