"""What happens to the other positions when a token is taken away: the effect that a trace of contributions should tell.

A contribution method says how much each token contributes to each position. Whether it is right about the model can be
asked of the model: remove the token and see how far the position's vector moves (blank-out; Abnar & Zuidema 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor
from tqdm import tqdm

from interp.errors import InputError
from interp.registry import Registry
from interp.residual.forward import PROBES
from interp.residual.tracing import trace_batch
from interp.subjects.subject import Batch, Subject

LEAST_SOURCES = 4
"""A rank correlation over fewer tokens says nothing."""

REMOVALS: Registry[Callable[[Subject, Batch], Batch]] = Registry("way to remove a token", "interp.residual.REMOVALS")
"""One text in, one variant per position out: variant j lacks token j. Positions of the others stay as they are."""


@REMOVALS.register("hidden")
def hidden(_: Subject, text: Batch) -> Batch:
    """No position attends to the token, in any block."""
    variants = _copies(text)
    return replace(
        variants, mask=variants.mask - torch.eye(text.ids.shape[1], dtype=torch.long, device=text.ids.device)
    )


@REMOVALS.register("replaced")
def replaced(subject: Subject, text: Batch) -> Batch:
    """Another token stands in its place that says nothing: [MASK], or what the tokenizer has for the unknown.

    Raises
    ------
    InputError
        If the tokenizer has neither.
    """
    tokenizer = subject.tokenizer
    choices = (tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id)
    blank = next((i for i in choices if i is not None), None)
    if blank is None:
        raise InputError(f"{subject.name}: no mask, unknown or end token to put in a token's place")
    variants = _copies(text)
    return replace(variants, ids=variants.ids.clone().fill_diagonal_(int(blank)))


def _copies(text: Batch) -> Batch:
    length = text.ids.shape[1]
    rows = {name: getattr(text, name).expand(length, length).clone() for name in ("ids", "mask", "special")}
    return Batch(**rows, index=tuple(range(length)))


def effects(subject: Subject, text: Batch, removal: str) -> Float[Tensor, "layer position token"]:
    """How far the vector at each position moves after each block when each token is removed, relative to its length.

    Parameters
    ----------
    text
        A batch of one text without padding.

    Raises
    ------
    InputError
        For an unknown way to remove a token, or one that this subject does not allow.
    """
    variants = REMOVALS[removal](subject, text)
    sites = [f"blocks.{layer}.resid_post" for layer in range(subject.n_layers)]
    with torch.no_grad():
        with subject.capture(sites) as whole:
            subject(text)
        with subject.capture(sites) as without:
            subject(variants)
    moved = [(without[site] - whole[site]).norm(dim=-1) / whole[site].norm(dim=-1) for site in sites]
    return torch.stack(moved).mT  # variant x position -> position x token removed


def blanking_table(
    subject: Subject,
    texts: Sequence[str],
    methods: Sequence[str],
    *,
    removals: Sequence[str] = tuple(REMOVALS),
    probes: int | None = PROBES,
    seed: int = 0,
) -> pd.DataFrame:
    """How well each method's contributions of the input tokens rank the effects of removing them.

    For every position, Spearman's correlation over the *other* tokens (of the text, no special ones; in causal subjects
    the earlier ones) between cumulated contribution and effect. Two rows stand beside the methods: ``distance``, which
    knows nothing but that near tokens matter more, and ``other removal``, the agreement of the two ways to remove a
    token, which is about as much as can be asked for.

    Returns
    -------
    DataFrame
        One row = (removal, method, layer, text), with `tokens`, `positions` (how many have enough other tokens) and
        `value` (their mean).

    Raises
    ------
    InputError
        For no texts, or an unknown method or removal.
    """
    if not texts:
        raise InputError("no texts to trace")
    rows = []
    for number, text in enumerate(tqdm(texts, desc=f"{subject.name}, blank-out", unit="text", disable=None)):
        batch = subject.encode([text])
        traces = trace_batch(subject, batch, methods, probes=probes, seed=seed)
        found = {name: _numpy(trace.cumulated.share[:, 0]) for name, trace in traces.items()}
        length = batch.ids.shape[1]
        apart = -np.abs(np.subtract.outer(np.arange(length), np.arange(length))).astype(float)
        found["distance"] = np.broadcast_to(apart, (subject.n_layers, length, length))
        moved = {removal: _numpy(effects(subject, batch, removal)) for removal in removals}
        inner = ~batch.special[0].cpu().numpy()
        for removal, effect in moved.items():
            rivals = dict(found)
            others = [other for name, other in moved.items() if name != removal]
            if others:
                rivals["other removal"] = others[0]
            for method, said in rivals.items():
                for layer in range(subject.n_layers):
                    values = rank_agreement(said[layer], effect[layer], inner, causal=subject.causal)
                    mean = np.mean(values) if values else np.nan
                    rows.append((removal, method, layer + 1, number, length, len(values), mean))
    table = pd.DataFrame(rows, columns=["removal", "method", "layer", "text", "tokens", "positions", "value"])
    return table[table["positions"] > 0].reset_index(drop=True)


def rank_agreement(
    said: Float[np.ndarray, "position token"],
    effect: Float[np.ndarray, "position token"],
    inner: np.ndarray,
    *,
    causal: bool,
) -> list[float]:
    """Spearman's correlation over other tokens, for each position with at least `LEAST_SOURCES` of them.

    A position on which either ranking has nothing but ties is left out.
    """
    places = np.flatnonzero(inner).tolist()
    sources = {i: [j for j in places if (j < i if causal else j != i)] for i in places}
    found: dict[int, float] = {}
    # Positions with equally many sources are ranked together, which is most of the work: all of them, unless causal.
    for count in sorted({len(s) for s in sources.values() if len(s) >= LEAST_SOURCES}):
        rows = [i for i in places if len(sources[i]) == count]
        cells = np.array(rows)[:, None], np.stack([sources[i] for i in rows])
        a, b = (stats.rankdata(x[cells], axis=1) - (count + 1) / 2 for x in (said, effect))
        spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        found |= {i: both / s for i, both, s in zip(rows, (a * b).sum(axis=1), spread, strict=True) if s > 0}
    return [float(found[i]) for i in places if i in found]


def _numpy(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()
