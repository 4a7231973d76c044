"""The trained subject's maps of a sentence beside maps that only look like one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from interp import attention, corpora, subjects
from interp.attention import lineup
from interp.attention.comparison import similarities
from interp.store import Tables, study
from interp.studies.attention_maps import some_texts


def candidates(subject: str, *, dtype: str = "float32", device: str = "cpu") -> list[lineup.Candidate]:
    """The trained subject on the real text, the same on shuffled embeddings, and its two twins."""
    trained, fresh, permuted = (
        subjects.shared(name, device=device, dtype=dtype)
        for name in (subject, f"{subject}:random", f"{subject}:permuted")
    )
    return [
        lineup.Candidate("trained, real sentence", trained),
        lineup.Candidate("trained, shuffled embeddings", trained, "shuffle-embeddings"),
        lineup.Candidate("fresh random weights", fresh),
        lineup.Candidate("permuted weights", permuted),
    ]


@dataclass(frozen=True)
class Example:
    """One sentence as the four candidates of a line-up see it."""

    tokens: list[str]
    """Special ones among them."""
    inner: list[str]
    """Without the special ones."""
    maps: dict[str, Float[Tensor, "layer head query key"]]
    """By candidate: over all tokens."""
    inner_maps: dict[str, Float[Tensor, "layer head query key"]]
    """By candidate: special tokens left out, rows renormalised."""
    measures: pd.DataFrame
    """One row = (map, layer, head), layers and heads counted from 1: structure, concentration, attention to neighbours,
    and the correlation with the first candidate's map."""


@study("attention-example", identities={"subject": subjects.identify})
def _example(*, subject: str, text: str, dtype: str, device: str) -> Tables:
    found = candidates(subject, dtype=dtype, device=device)
    trained = found[0].subject
    batch = trained.encode([text])
    first, _ = found[0].maps(text)
    cells, measures = [], []
    for candidate in found:
        inner, layout = candidate.maps(text)
        whole = torch.cat([m.cpu() for m in candidate.attend(text)])
        cells += [(candidate.label, "whole", *_flat(whole)), (candidate.label, "inner", *_flat(inner))]
        measures.append(_measures(candidate.label, inner, first, layout))
    special = batch.special[0].tolist()
    return {
        "tokens": pd.DataFrame({"token": trained.tokens(batch), "special": special}),
        "maps": pd.DataFrame(cells, columns=["map", "kind", "shape", "cells"]),
        "measures": pd.concat(measures, ignore_index=True),
    }


def _flat(maps: Tensor) -> tuple[list[int], np.ndarray]:
    return list(maps.shape), maps.float().numpy(force=True).ravel()


def _measures(label: str, maps: Tensor, first: Tensor, layout: attention.Layout) -> pd.DataFrame:
    found = attention.structure(maps, layout)
    near = torch.stack([torch.nan_to_num(found[k]) for k in ("previous", "own", "next")]).sum(dim=0)
    values = {
        "spatial structure": found["moran"],
        "concentration": 1 - found["entropy"],
        "attention to neighbours": near,
        "correlation with the first": similarities(maps, first, layout)["pearson, inner"],
    }
    layers, heads = np.indices(tuple(maps.shape[:2])) + 1
    flat = {name: value.double().numpy(force=True).ravel() for name, value in values.items()}
    return pd.DataFrame({"map": label, "layer": layers.ravel(), "head": heads.ravel(), **flat})


def attention_example(subject: str, text: str, *, dtype: str = "float32", device: str = "cpu") -> Example:
    """One sentence in the four candidates of a line-up: maps of every layer and head, and what they measure."""
    tables = _example(subject=subject, text=text, dtype=dtype, device=device)
    tokens = tables["tokens"]
    maps: dict[str, dict[str, Tensor]] = {"whole": {}, "inner": {}}
    for row in tables["maps"].itertuples():
        maps[row.kind][row.map] = torch.tensor(np.asarray(row.cells)).reshape(*map(int, row.shape))
    return Example(
        tokens=tokens["token"].tolist(),
        inner=tokens.loc[~tokens["special"], "token"].tolist(),
        maps=maps["whole"],
        inner_maps=maps["inner"],
        measures=tables["measures"],
    )


@study("attention-rounds", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _rounds(*, subject: str, corpus: str, count: int, seed: int, dtype: str, device: str) -> Tables:
    found = candidates(subject, dtype=dtype, device=device)
    pool = attention.eligible(found[0].subject, corpora.load(corpus).texts)
    dealt = lineup.rounds(found, pool, count=count, seed=seed)
    told = [json.dumps(r, ensure_ascii=False, default=lambda cells: cells.tolist()) for r in dealt]
    return {"rounds": pd.DataFrame({"round": told})}


def attention_rounds(
    subject: str, corpus: str = "plain", *, count: int = 10, seed: int = 0, dtype: str = "float32", device: str = "cpu"
) -> list[dict[str, Any]]:
    """The rounds of the guessing page (see `lineup.rounds`), cells as nested lists."""
    tables = _rounds(subject=subject, corpus=corpus, count=count, seed=seed, dtype=dtype, device=device)
    return [json.loads(told) for told in tables["rounds"]["round"]]


@study("attention-lineup", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _lineup(*, subject: str, corpus: str, texts: int, dtype: str, device: str) -> Tables:
    found = candidates(subject, dtype=dtype, device=device)
    return {"players": lineup.players_table(found, some_texts(found[0].subject, corpus, texts))}


def attention_lineup(
    subject: str, corpus: str = "plain", *, texts: int = 60, dtype: str = "float32", device: str = "cpu"
) -> pd.DataFrame:
    """What players without eyes take for the trained model on the real sentence (see `lineup.players_table`)."""
    return _lineup(subject=subject, corpus=corpus, texts=texts, dtype=dtype, device=device)["players"]
