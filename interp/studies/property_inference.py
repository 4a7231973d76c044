"""Scores of every control of embeddings -> norms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from interp import norms as norm_sets
from interp import subjects
from interp.controls import CONTROLS
from interp.errors import InputError
from interp.inference import Scores, crossvalidate
from interp.norms import NormSet
from interp.norms.treatments import TREATMENTS, categorised
from interp.registry import unknown
from interp.seeding import generator
from interp.store import Tables, study

CASINGS = {"lower": str.lower, "capitalised": str.capitalize}
"""How the lemmas are spelled when they are embedded; an uncased vocabulary knows no difference."""


def some_concepts(norms: NormSet, count: int | None) -> NormSet:
    """`count` random concepts of `norms`, the same ones every time; all of them for None."""
    if count is None or count >= len(norms.concepts):
        return norms
    return norms.subset(np.sort(generator(0, "concepts").choice(len(norms.concepts), size=count, replace=False)))


@study("property-inference", identities={"subject": subjects.identify, "norms": norm_sets.identify})
def _one_control(
    *,
    subject: str,
    norms: str,
    control: str,
    embedding: str,
    targets: str,
    casing: str,
    only_categorised: bool,
    mapping: str,
    folds: int,
    seed: int,
    selections: list[str],
    metrics: list[str] | None,
    largest: int | None,
    concepts: int | None,
    dtype: str,
    device: str,
) -> Tables:
    loaded = TREATMENTS[targets](some_concepts(norm_sets.load(norms), concepts))
    if only_categorised:
        loaded = categorised(loaded)
    lemmas = [CASINGS[casing](lemma) for lemma in loaded.lemmas]
    model = subjects.shared(subject, device=device, dtype=dtype)
    return crossvalidate(
        model.lemma_vectors(lemmas, embedding),
        loaded,
        mapping=mapping,
        controls=[control],
        folds=folds,
        seeds=[seed],
        selections=selections,
        metrics=metrics,
        largest=largest,
        # Floor and ceilings of the real targets are had once, with the original.
        references=control == "original" or not CONTROLS[control].keeps_targets,
        pieces=[model.pieces(lemma) for lemma in lemmas],
        device=device,
    ).to_tables()


def property_scores(
    subject: str,
    norms: str,
    controls: Iterable[str] = ("original",),
    *,
    embedding: str = "wordpiece",
    targets: str = "raw",
    casing: str = "lower",
    only_categorised: bool = False,
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
    """Cross-validated scores of `controls` (see `inference.crossvalidate`); each control and seed is a stored result.

    Parameters
    ----------
    targets
        A name in `norms.treatments.TREATMENTS`.
    casing
        ``lower`` or ``capitalised``: the spelling that is embedded.
    only_categorised
        Leave out the concepts without a category.
    concepts
        A random subset of so many concepts, for trying things out.

    Notes
    -----
    `original` is always among the controls: the others are read against its floor and ceilings.
    """
    if casing not in CASINGS:
        raise InputError(unknown("casing", casing, CASINGS))
    wanted = list(dict.fromkeys(["original", *(CONTROLS[name].name for name in controls)]))
    seeds = list(seeds)
    common: dict[str, Any] = {
        "subject": subject,
        "norms": norms,
        "embedding": embedding,
        "targets": targets,
        "casing": casing,
        "only_categorised": only_categorised,
        "mapping": mapping,
        "folds": folds,
        "selections": list(selections),
        "metrics": None if metrics is None else list(metrics),
        "largest": largest,
        "concepts": concepts,
        "dtype": dtype,
        "device": device,
    }
    return over_controls(
        wanted,
        seeds,
        lambda control, seed: _one_control(control=control, seed=seed, **common),
        f"{subject} -> {norms}, {mapping}",
    )


def over_controls(
    controls: Sequence[str], seeds: Sequence[int], run: Callable[[str, int], Tables], label: str
) -> Scores:
    """Scores of each control, pooled over seeds; `run` gives (and stores) those of one control and one seed."""
    parts = []
    with tqdm(total=len(controls) * len(seeds), desc=label, unit="run") as bar:
        for control in controls:
            by_seed = []
            for seed in seeds:
                by_seed.append(Scores.from_tables(run(control, seed)))
                bar.update()
            parts.append(Scores.over_seeds(by_seed))
    return Scores.concatenated(parts)
