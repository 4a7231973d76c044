"""Scores of every control of embeddings -> norms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from interp import norms as norm_sets
from interp import subjects
from interp.controls import CONTROLS
from interp.inference import Scores, crossvalidate
from interp.norms import NormSet
from interp.seeding import generator
from interp.store import Tables, study


def checksum(name: str) -> str:
    """What exactly a name of norms stands for, for the store."""
    return norm_sets.load(name).checksum


def some_concepts(norms: NormSet, count: int | None) -> NormSet:
    """`count` random concepts of `norms`, the same ones every time; all of them for None."""
    if count is None or count >= len(norms.concepts):
        return norms
    return norms.subset(np.sort(generator(0, "concepts").choice(len(norms.concepts), size=count, replace=False)))


@study("property-inference", identities={"subject": subjects.identify, "norms": checksum})
def _one_control(
    *,
    subject: str,
    norms: str,
    control: str,
    embedding: str,
    mapping: str,
    folds: int,
    seeds: list[int],
    selections: list[str],
    metrics: list[str] | None,
    largest: int | None,
    concepts: int | None,
    dtype: str,
    device: str,
) -> Tables:
    loaded = some_concepts(norm_sets.load(norms), concepts)
    model = subjects.load(subject, device=device, dtype=dtype)
    return crossvalidate(
        model.lemma_vectors(loaded.lemmas, embedding),
        loaded,
        mapping=mapping,
        controls=[control],
        folds=folds,
        seeds=seeds,
        selections=selections,
        metrics=metrics,
        largest=largest,
        # Floor and ceilings of the real targets are had once, with the original.
        references=control == "original" or not CONTROLS[control].keeps_targets,
        pieces=[model.pieces(lemma) for lemma in loaded.lemmas],
        device=device,
    ).to_tables()


def property_scores(
    subject: str,
    norms: str,
    controls: Iterable[str] = ("original",),
    *,
    embedding: str = "wordpiece",
    mapping: str = "plsr",
    folds: int = 10,
    seeds: Iterable[int] = range(3),
    selections: Sequence[str] = ("argmin",),
    metrics: Sequence[str] | None = None,
    largest: int | None = None,
    concepts: int | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> Scores:
    """Cross-validated scores of `controls`, each kept in the store by itself (see `inference.crossvalidate`).

    `original` is always among them: the others are read against its floor and ceilings. With `concepts`, a random
    subset of so many concepts (for trying things out).
    """
    wanted = list(dict.fromkeys(["original", *(CONTROLS[name].name for name in controls)]))
    return Scores.concatenated(
        Scores.from_tables(
            _one_control(
                subject=subject,
                norms=norms,
                control=control,
                embedding=embedding,
                mapping=mapping,
                folds=folds,
                seeds=list(seeds),
                selections=list(selections),
                metrics=None if metrics is None else list(metrics),
                largest=largest,
                concepts=concepts,
                dtype=dtype,
                device=device,
            )
        )
        for control in wanted
    )
