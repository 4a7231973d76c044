"""Real embeddings and noise on targets made to order: what density and rank do to a score by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from interp import geometry, subjects
from interp import norms as norm_sets
from interp.controls import CONTROLS, Problem
from interp.inference import Scores, crossvalidate, synthetic
from interp.inference.metrics import FEWEST_CARRIERS
from interp.resampling import interval
from interp.seeding import generator
from interp.store import Tables, study
from interp.studies.property_inference import some_concepts

METRICS = ("f1@10", "map@k", "auc-feature", "r2", "nn@10", "rho", "rho-max")
RELATIVE = "rho / rho-max"
"""Spearman's rho as a share of what a prediction without ties can have at best."""


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Synthetic targets on real words: what `crossvalidate` asks of norms."""

    values: np.ndarray
    lemmas: tuple[str, ...]
    taxonomy: tuple[str, ...]
    kinds: tuple[str, ...] | None = None


@study("synthetic-norms", identities={"subject": subjects.identify, "norms": norm_sets.identify})
def _one_target(
    *,
    subject: str,
    norms: str,
    density: float,
    rank: int,
    alpha: float,
    features: int,
    embedding: str,
    folds: int,
    seeds: list[int],
    largest: int | None,
    concepts: int | None,
    dtype: str,
    device: str,
) -> Tables:
    words = some_concepts(norm_sets.load(norms), concepts)
    X = subjects.shared(subject, device=device, dtype=dtype).lemma_vectors(words.lemmas, embedding)
    rng = generator(0, "synthetic norms")  # the same loadings and noise at every point, as far as shapes agree
    scores = synthetic.scores(synthetic.linked_factors(X, rank, alpha, rng, leading=rank), features, rng)
    carriers = synthetic.power_law_carriers(features, len(X), density)
    quotas = synthetic.even_quotas(int(carriers.sum()), len(X), rng)
    mask = synthetic.sparse_features(scores, carriers, quotas, rng)
    Y = synthetic.with_values(mask, scores, words.values[words.values > 0], rng)
    found = crossvalidate(
        X,
        Synthetic(Y, words.lemmas, words.taxonomy),
        # Without a link, one input is like the other.
        controls=["original", "noise"] if alpha > 0 else ["original"],
        folds=folds,
        seeds=seeds,
        metrics=METRICS,
        largest=largest,
        device=device,
    )
    table = tidy(found).assign(
        density=float((Y > 0).mean()), rank=rank, alpha=alpha, effective_rank=geometry.effective_rank(Y)
    )
    return {"scores": table}


def tidy(scores: Scores) -> pd.DataFrame:
    """Held-out and calibrated scores of both inputs, with floor and ceiling beside them.

    One row = (input, scoring, metric): estimate, low, high. Inputs: ``embedding``, ``noise``, ``floor``, ``ceiling``.
    """
    inputs = {"embedding": "original", "noise": "noise"}
    inputs = {name: control for name, control in inputs.items() if control in set(scores.cells["control"])}
    rows = [
        (name, scoring, metric, *scores.sample(control, metric, scoring))
        for name, control in inputs.items()
        for scoring in ("held-out", "calibrated")
        for metric in METRICS
    ]
    references = scores.cells[scores.cells["reference"].isin(["floor", "ceiling"])]
    for i, cell in references.iterrows():
        rows.append((cell["reference"], "held-out", cell["metric"], cell["estimate"], scores.replicates[i]))
    by_key = {row[:3]: row[3:] for row in rows}
    for name in (*inputs, "floor", "ceiling"):
        (rho, rhos), (best, bests) = (by_key[name, "held-out", metric] for metric in ("rho", "rho-max"))
        rows.append((name, "held-out", RELATIVE, rho / best, rhos / bests))
    return pd.DataFrame(
        [(*row[:3], row[3], *map(float, interval(row[4]))) for row in rows],
        columns=["input", "scoring", "metric", "estimate", "low", "high"],
    )


def synthetic_scores(
    subject: str,
    norms: str,
    points: Iterable[tuple[float, int]],
    alphas: Sequence[float] = (0.0, 0.5),
    *,
    features: int = 400,
    embedding: str = "wordpiece",
    folds: int = 5,
    seeds: Iterable[int] = (0,),
    largest: int | None = 50,
    concepts: int | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """Scores on synthetic norms of each (density, rank) in `points`, linked to the embeddings by each of `alphas`.

    The words are those of `norms`, and the values are drawn from theirs; no more of them is used. Columns: density,
    rank (of the scores behind the targets), alpha, effective_rank (of the targets), and those of `tidy`.
    """
    return pd.concat(
        [
            _one_target(
                subject=subject,
                norms=norms,
                density=float(density),
                rank=int(rank),
                alpha=float(alpha),
                features=features,
                embedding=embedding,
                folds=folds,
                seeds=list(seeds),
                largest=largest,
                concepts=concepts,
                dtype=dtype,
                device=device,
            )["scores"]
            for density, rank in points
            for alpha in alphas
        ],
        ignore_index=True,
    )


@study("synthetic-ratings", identities={"norms": norm_sets.identify})
def _ratings(
    *, norms: str, between: list[float], features: int, rank: int, folds: int, seeds: list[int], concepts: int | None
) -> Tables:
    words = some_concepts(norm_sets.load(norms), concepts)
    n = len(words.lemmas)
    rows = []
    for share in between:
        rng = generator(0, "synthetic ratings")
        scores = synthetic.scores(synthetic.linked_factors(np.zeros((n, 1)), rank, 0.0, rng), features, rng)
        Y = synthetic.dense_ratings(scores, share, rng)
        found = crossvalidate(
            np.zeros((n, 1)),
            Synthetic(Y, words.lemmas, words.taxonomy),
            controls=["mean-vector"],
            folds=folds,
            seeds=seeds,
            metrics=["rho", "rho-max"],
            references=False,
        )
        for metric in ("rho", "rho-max"):
            value, replicates = found.sample("mean-vector", metric)
            rows.append((share, metric, value, *map(float, interval(replicates))))
    return {"ratings": pd.DataFrame(rows, columns=["between", "metric", "estimate", "low", "high"])}


def ratings_floor(
    norms: str,
    between: Sequence[float],
    *,
    features: int = 65,
    rank: int = 17,
    folds: int = 5,
    seeds: Iterable[int] = (0,),
    concepts: int | None = None,
) -> pd.DataFrame:
    """Spearman's rho of the mean vector on synthetic dense ratings, by the share of variance between features.

    The mean vector looks at no word. Shape and rank are like Binder's: 65 attributes, effective rank about 17.
    """
    return _ratings(
        norms=norms,
        between=[float(b) for b in between],
        features=features,
        rank=rank,
        folds=folds,
        seeds=list(seeds),
        concepts=concepts,
    )["ratings"]


SHAPES = {"as they are": "original", "same margins": "shuffle-swap", "same density": "random-sparse"}
"""What a spectrum is held against: the control that keeps no more than the words say."""

COMPONENTS = 200
"""How many principal components a spectrum is kept for."""


@study("norm-shapes", identities={"norms": norm_sets.identify})
def _shapes(*, norms: str, concepts: int | None) -> Tables:
    loaded = some_concepts(norm_sets.load(norms), concepts)
    problem = Problem(np.zeros((len(loaded.lemmas), 1)), loaded.values, loaded.lemmas, loaded.taxonomy, loaded.kinds)
    # Ratings cannot trade features; permuting each attribute by itself keeps their one margin that is not flat.
    shapes = {**SHAPES, "same margins": "shuffle-within-columns"} if loaded.dense else SHAPES
    rows, spectra = [], []
    for name, control in shapes.items():
        Y = CONTROLS[control].build(problem, generator(0, "control", control)).Y
        variances, count = geometry.variances(Y), geometry.carriers(Y)
        rows.append(
            {
                "norms": norms,
                "targets": name,
                "concepts": len(Y),
                "features": Y.shape[1],
                "density": float((Y > 0).mean()),
                "features a concept": float((Y > 0).sum(axis=1).mean()),
                "held by one": float((count == 1).mean()),
                "held by five": float((count >= FEWEST_CARRIERS).mean()),
                "most common": float(count.max() / len(Y)),
                "effective rank": geometry.effective_count(variances),
                "between features": geometry.between_features(Y),
                "best rho": geometry.best_rho_of(Y),
                "dense": loaded.dense,
            }
        )
        share = geometry.cumulated_share(variances)[:COMPONENTS]
        spectra.append(
            pd.DataFrame({"norms": norms, "targets": name, "components": np.arange(1, len(share) + 1), "share": share})
        )
    return {"shapes": pd.DataFrame(rows), "spectra": pd.concat(spectra, ignore_index=True)}


def norm_shapes(norms: str, *, concepts: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Density, prevalence and rank of norms and of random targets with their margins or density.

    Returns
    -------
    shapes, spectra
        One row a kind of targets (`SHAPES`); and one row a kind and number of leading components, with the share of the
        variance that they hold.
    """
    tables = _shapes(norms=norms, concepts=concepts)
    return tables["shapes"], tables["spectra"]
