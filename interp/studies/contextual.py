"""Property inference from words in context, by layer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from interp import corpora, subjects
from interp import norms as norm_sets
from interp.controls import CONTROLS
from interp.errors import InputError
from interp.inference import Scores, crossvalidate
from interp.norms import NormSet
from interp.registry import unknown
from interp.resampling import Bootstrap, interval
from interp.store import Tables, study
from interp.studies.property_inference import over_controls, some_concepts
from interp.subjects.contextual import FORMS, Contextual, contextual_vectors

IDENTITIES = {"subject": subjects.identify, "norms": norm_sets.identify, "contexts": corpora.identify_contexts}


@lru_cache(maxsize=2)
def _drawn(
    norms: str, contexts: str, per_concept: int, concepts: int | None
) -> tuple[NormSet, tuple[tuple[corpora.Context, ...], ...]]:
    """The concepts that have contexts, and those."""
    wanted = some_concepts(norm_sets.load(norms), concepts)
    found = corpora.drawn_contexts(wanted.concepts, wanted.lemmas, contexts, per_concept)
    keep = np.array([i for i, mine in enumerate(found) if mine], dtype=int)
    if not len(keep):
        raise InputError(f"norms {norms}: no concept has {per_concept} contexts in {contexts!r}")
    return wanted.subset(keep), tuple(found[i] for i in keep)


@lru_cache(maxsize=3)
def _in_context(
    subject: str,
    form: str,
    norms: str,
    contexts: str,
    per_concept: int,
    concepts: int | None,
    batch_size: int,
    dtype: str,
    device: str,
) -> Contextual:
    """All layers in one pass; the controls and layers that ask for it one after the other share it."""
    _, places = _drawn(norms, contexts, per_concept, concepts)
    model = subjects.load(subject, dtype=dtype, device=device)
    return contextual_vectors(model, places, form, batch_size=batch_size)


@study("contextual-inference", identities=IDENTITIES)
def _one_control(
    *,
    subject: str,
    norms: str,
    embedding: str,
    control: str,
    contexts: str,
    per_concept: int,
    concepts: int | None,
    folds: int,
    seed: int,
    metrics: list[str] | None,
    largest: int | None,
    batch_size: int,
    dtype: str,
    device: str,
) -> Tables:
    loaded, _ = _drawn(norms, contexts, per_concept, concepts)
    model = subjects.load(subject, dtype=dtype, device=device)
    form, _, layer = embedding.partition(":")
    if form in FORMS:
        if not re.fullmatch("[0-9]{1,6}", layer) or int(layer) > model.n_layers:
            raise InputError(f"embedding {embedding!r}: {subject} has layers 0..{model.n_layers}")
        seen = _in_context(subject, form, norms, contexts, per_concept, concepts, batch_size, dtype, device)
        X = seen.vectors[int(layer)]
    else:
        X = model.lemma_vectors(loaded.lemmas, embedding, batch_size=batch_size)
    return crossvalidate(
        X,
        loaded,
        controls=[control],
        folds=folds,
        seeds=[seed],
        metrics=metrics,
        largest=largest,
        # Floor and ceilings of the real targets are had once, with the original.
        references=control == "original" or not CONTROLS[control].keeps_targets,
        pieces=[model.pieces(lemma) for lemma in loaded.lemmas],
        device=device,
    ).to_tables()


def contextual_scores(
    subject: str,
    norms: str,
    embedding: str,
    controls: Iterable[str] = ("original",),
    *,
    contexts: str = "contexts",
    per_concept: int = 3,
    concepts: int | None = None,
    folds: int = 10,
    seeds: Iterable[int] = range(3),
    metrics: Sequence[str] | None = None,
    largest: int | None = None,
    batch_size: int = 32,
    dtype: str = "float32",
    device: str = "cpu",
) -> Scores:
    """Scores of `controls` on the concepts that have contexts, from vectors in context or, for comparison, without.

    All calls with the same norms and contexts score the same concepts, on the same resamples.

    Parameters
    ----------
    embedding
        ``context:L``, ``masked:L``, ``elsewhere:L`` (see `subjects.contextual.FORMS`), or as in `property_scores`.
    contexts, per_concept
        Where contexts are drawn from, and how many of each concept (`corpora.drawn_contexts`); concepts with fewer are
        left out.
    concepts
        A random subset of the norms, drawn before.

    Raises
    ------
    InputError
        For an unknown name, a layer or form the subject does not have, or no concept with so many contexts.
    """
    form = embedding.partition(":")[0]
    if form not in (*FORMS, "wordpiece", "layer"):
        raise InputError(unknown("embedding", embedding, ["wordpiece", "layer:L", *(f"{name}:L" for name in FORMS)]))
    common: dict[str, Any] = {
        "subject": subject,
        "norms": norms,
        "embedding": embedding,
        "contexts": contexts,
        "per_concept": per_concept,
        "concepts": concepts,
        "folds": folds,
        "metrics": None if metrics is None else list(metrics),
        "largest": largest,
        "batch_size": batch_size,
        "dtype": dtype,
        "device": device,
    }
    return over_controls(
        list(dict.fromkeys(["original", *(CONTROLS[name].name for name in controls)])),
        list(seeds),
        lambda control, seed: _one_control(control=control, seed=seed, **common),
        f"{subject}, {embedding} -> {norms}",
    )


@study("context-similarity", identities=IDENTITIES)
def _similarity(
    *,
    subject: str,
    form: str,
    norms: str,
    contexts: str,
    per_concept: int,
    concepts: int | None,
    batch_size: int,
    dtype: str,
    device: str,
) -> Tables:
    seen = _in_context(subject, form, norms, contexts, per_concept, concepts, batch_size, dtype, device)
    loaded, _ = _drawn(norms, contexts, per_concept, concepts)
    layers, words = seen.self_similarity.shape
    return {
        "similarity": pd.DataFrame(
            {
                "layer": np.repeat(np.arange(layers), words),
                "lemma": np.tile(loaded.lemmas, layers),
                "self": seen.self_similarity.ravel(),
                "baseline": np.repeat(seen.baseline, words),
            }
        )
    }


def context_similarity(
    subject: str,
    norms: str,
    *,
    form: str = "context",
    contexts: str = "contexts",
    per_concept: int = 3,
    concepts: int | None = None,
    batch_size: int = 32,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """How alike a word's vectors from different sentences are, beyond any two words' (Ethayarajh 2019, section 4.1).

    Returns
    -------
    DataFrame
        One row a layer: `value` (self-similarity less the baseline) with `low` and `high` (95 % over words), `self`,
        `baseline`, `words`.

    Raises
    ------
    InputError
        For one sentence a concept, and as `contextual_scores`.
    """
    if per_concept < 2:
        raise InputError(f"self-similarity takes two sentences a concept or more, and per_concept is {per_concept}")
    table = _similarity(
        subject=subject,
        form=FORMS[form].name,
        norms=norms,
        contexts=contexts,
        per_concept=per_concept,
        concepts=concepts,
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )["similarity"]
    rows = []
    for layer, mine in table.groupby("layer"):
        beyond = (mine["self"] - mine["baseline"]).to_numpy()
        value, replicates = Bootstrap(mine["lemma"].tolist(), 1000).ratio(beyond, np.ones_like(beyond))
        low, high = interval(replicates)
        rows.append((layer, value, float(low), float(high), mine["self"].mean(), mine["baseline"].iloc[0], len(mine)))
    return pd.DataFrame(rows, columns=["layer", "value", "low", "high", "self", "baseline", "words"])
