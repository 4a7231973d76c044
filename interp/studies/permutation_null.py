"""Permutation p-values of the scores of embeddings -> norms; a run that was interrupted goes on where it stopped."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interp import norms as norm_sets
from interp import subjects
from interp.errors import InputError
from interp.inference import permutation
from interp.inference.permutation import DEFAULT_METRICS, LARGEST, PermutationNull
from interp.norms import NormSet
from interp.store import Tables, study
from interp.studies.property_inference import some_concepts

BLOCK = 50
"""Permutations kept together: what an interruption can cost."""


@functools.lru_cache(maxsize=1)
def _data(
    subject: str, norms: str, embedding: str, concepts: int | None, dtype: str, device: str
) -> tuple[Float[np.ndarray, "concept width"], NormSet]:
    """Embeddings and norms, loaded once for all blocks of a run."""
    loaded = some_concepts(norm_sets.load(norms), concepts)
    model = subjects.shared(subject, device=device, dtype=dtype)
    return model.lemma_vectors(loaded.lemmas, embedding), loaded


@study(
    "permutation-null",
    identities={"subject": subjects.identify, "norms": norm_sets.identify},
    volatile=("device", "total"),
)
def _block(
    *,
    subject: str,
    norms: str,
    first: int,
    count: int,
    embedding: str,
    control: str,
    metrics: list[str],
    folds: int,
    seed: int,
    largest: int,
    concepts: int | None,
    dtype: str,
    device: str,
    total: int,
) -> Tables:
    X, loaded = _data(subject, norms, embedding, concepts, dtype, device)
    null = permutation.permutation_null(
        X,
        loaded,
        range(first, first + count),
        control=control,
        metrics=metrics,
        folds=folds,
        seed=seed,
        largest=largest,
        device=device,
        total=total,
    )
    return {"values": null.values, "latent": null.latent}


def permutation_null(
    subject: str,
    norms: str,
    *,
    permutations: int = 999,
    control: str = "shuffle-rows",
    metrics: Sequence[str] = DEFAULT_METRICS,
    embedding: str = "wordpiece",
    folds: int = 10,
    seed: int = 0,
    largest: int = LARGEST,
    concepts: int | None = None,
    block: int = BLOCK,
    dtype: str = "float32",
    device: str = "cpu",
) -> PermutationNull:
    """`inference.permutation.permutation_null` of a subject and norms, kept in the store block by block.

    Parameters
    ----------
    permutations
        Random ones; the observed order is scored besides.
    block
        Permutations kept together. It changes what is stored where, never a number.
    concepts
        A random subset of so many concepts (for trying things out).

    Raises
    ------
    InputError
        For fewer than one permutation or an empty block, and as `inference.permutation.permutation_null`.
    """
    if permutations < 1:
        raise InputError(f"{permutations} permutations make no null: at least 1 (999 for p-values down to .001)")
    if block < 1:
        raise InputError(f"a block of {block} permutations keeps nothing: at least 1")
    if not metrics:
        raise InputError("no metric, no null: name at least one (interp metrics lists them)")
    parts = []
    for first in range(0, permutations + 1, block):
        tables = _block(
            subject=subject,
            norms=norms,
            first=first,
            count=min(block, permutations + 1 - first),
            embedding=embedding,
            control=control,
            metrics=list(metrics),
            folds=folds,
            seed=seed,
            largest=largest,
            concepts=concepts,
            dtype=dtype,
            device=device,
            total=permutations + 1,
        )
        parts.append(PermutationNull(tables["values"], tables["latent"]))
    return PermutationNull.concatenated(parts)
