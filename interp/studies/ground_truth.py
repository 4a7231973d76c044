"""How often each evaluation protocol finds signal, on norms in which it is known how much there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from interp import geometry, subjects
from interp import norms as norm_sets
from interp.controls import CONTROLS, Problem
from interp.inference import crossvalidate
from interp.inference.permutation import permutation_null
from interp.inference.planting import planted
from interp.inference.protocols import CONTROLS_NEEDED, METRICS_NEEDED, PROTOCOLS, Observed
from interp.seeding import generator
from interp.store import Tables, study
from interp.studies.property_inference import some_concepts
from interp.studies.sparsity_and_geometry import Synthetic

LEVEL = 0.05
"""A protocol says yes where its p-value is at most this."""

BLOCK = 10
"""Replicates of one condition that are stored together."""


@dataclass(frozen=True)
class Condition:
    """What is planted.

    Attributes
    ----------
    alpha
        Share of what tells concepts of a category apart that is linear in the input.
    category
        Share of the concepts' variance that members of a category have in common.
    link
        The input of the signal: ``embedding``, or ``spelling``: random vectors per word piece, which the embedding
        can read only as far as words share pieces.
    """

    name: str
    alpha: float
    category: float
    link: str = "embedding"


CATEGORY = 0.65
"""Planted norms get most of their structure from categories, as real ones do."""

NULLS = (
    Condition("nothing", 0.0, 0.0),
    Condition("category only", 0.0, CATEGORY),
    Condition("category and spelling", 0.8, CATEGORY, "spelling"),
)
"""No embedding knows more than what the name says: a *yes* to concept-level knowledge is a false positive."""

DOSES = tuple(Condition(f"alpha {a:g}", a, CATEGORY) for a in (0.1, 0.2, 0.4, 0.8))
"""Real signal beyond category, more and more of it."""

CONDITIONS = (*NULLS, *DOSES)


@study("planted-norms", identities={"subject": subjects.identify, "norms": norm_sets.identify})
def _block(
    *,
    subject: str,
    norms: str,
    alpha: float,
    category: float,
    link: str,
    first: int,
    count: int,
    concepts: int | None,
    permutations: int,
    embedding: str,
    folds: int,
    largest: int,
    dtype: str,
    device: str,
) -> Tables:
    words = some_concepts(norm_sets.load(norms), concepts)
    shared = (words.values > 0).sum(axis=0) > 1  # what one concept alone carries can be neither learned nor tested
    words = words.subset(np.flatnonzero((words.values[:, shared] > 0).any(axis=1)))
    model = subjects.shared(subject, device=device, dtype=dtype)
    X = model.lemma_vectors(words.lemmas, embedding)
    pieces = tuple(tuple(model.pieces(lemma)) for lemma in words.lemmas)
    like = words.values[:, (words.values > 0).sum(axis=0) > 1]
    rows, shapes = [], []
    for replicate in range(first, first + count):
        rng = generator(replicate, "planted", link, f"{alpha:g}", f"{category:g}")
        source = X
        if link == "spelling":
            bare = Problem(X, like, words.lemmas, words.taxonomy, pieces=pieces)
            source = CONTROLS["random-lookup"].build(bare, rng).X
        Y = planted(like, source, words.taxonomy, rng, alpha=alpha, category=category)
        made = Synthetic(Y, words.lemmas, words.taxonomy)
        scores = crossvalidate(
            X,
            made,
            controls=CONTROLS_NEEDED,
            folds=folds,
            seeds=[replicate],
            metrics=METRICS_NEEDED,
            largest=largest,
            pieces=pieces,
            resamples=500,
            device=device,
        )
        nulls = {
            control: permutation_null(
                X,
                made,
                range(permutations + 1),
                control=control,
                metrics=["f1@10"],
                folds=folds,
                seed=replicate,
                largest=largest,
                device=device,
            )
            for control in ("shuffle-rows", "taxonomy-within")
        }
        seen = Observed(scores, nulls, Y)
        rows += [{"replicate": replicate, "protocol": n, "p": p.p_value(seen)} for n, p in PROTOCOLS.items()]
        held, calibrated = (scores.sample("original", "f1@10", s)[0] for s in ("held-out", "calibrated"))
        shapes.append(
            {
                "replicate": replicate,
                "density": float((Y > 0).mean()),
                "effective rank": geometry.effective_rank(Y),
                "like": geometry.effective_rank(like),
                "raw F1@10": held,
                "calibrated F1@10": calibrated,
            }
        )
    return {"protocols": pd.DataFrame(rows), "shapes": pd.DataFrame(shapes)}


def planted_norms(
    subject: str,
    norms: str,
    conditions: Iterable[Condition] = CONDITIONS,
    *,
    replicates: int,
    concepts: int | None = None,
    permutations: int = 19,
    embedding: str = "wordpiece",
    folds: int = 5,
    largest: int = 20,
    dtype: str = "float32",
    device: str = "cpu",
) -> dict[str, pd.DataFrame]:
    """p-values of every protocol on norms planted on the words, margins and spectrum of `norms`.

    Parameters
    ----------
    replicates
        Sets of norms for each condition.
    permutations
        Of the permutation tests; 19 are the fewest with which p can be 0.05.

    Returns
    -------
    dict
        ``protocols``: condition, replicate, protocol, p. ``shapes``: condition, replicate, density, effective rank of
        the planted norms and of those they are like, F1@10 raw and calibrated.
    """
    conditions = list(conditions)
    blocks = [(c, i) for c in conditions for i in range(0, replicates, BLOCK)]
    found: dict[str, list[pd.DataFrame]] = {"protocols": [], "shapes": []}
    for condition, first in tqdm(blocks, desc=f"planted norms like {norms}", unit="block", disable=None):
        tables = _block(
            subject=subject,
            norms=norms,
            alpha=condition.alpha,
            category=condition.category,
            link=condition.link,
            first=first,
            count=min(BLOCK, replicates - first),
            concepts=concepts,
            permutations=permutations,
            embedding=embedding,
            folds=folds,
            largest=largest,
            dtype=dtype,
            device=device,
        )
        for name, rows in found.items():
            rows.append(tables[name].assign(condition=condition.name, alpha=condition.alpha))
    return {name: pd.concat(rows, ignore_index=True) for name, rows in found.items()}


def operating_characteristic(protocols: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """How often each protocol says yes: one row = (condition, protocol), with a 95 % interval (Wilson)."""
    rows = []
    for (condition, protocol), group in protocols.groupby(["condition", "protocol"], sort=False):
        yes = int((group["p"] <= level * (1 + 1e-6)).sum())  # 1/20 kept as float32 is a little more than 0.05
        limits = stats.binomtest(yes, len(group)).proportion_ci(method="wilson")
        row = {"condition": condition, "alpha": group["alpha"].iloc[0], "protocol": protocol, "rate": yes / len(group)}
        rows.append(row | {"low": limits.low, "high": limits.high, "n": len(group)})
    return pd.DataFrame(rows)


def recommended(rates: pd.DataFrame, level: float = LEVEL) -> pd.Series:
    """The mean power of each protocol whose false-positive rate is nowhere shown to exceed the level, best first.

    A rate is shown to exceed the level if its 95 % interval lies above it.
    """
    nulls = {condition.name for condition in NULLS}
    false = rates[rates["condition"].isin(nulls)]
    sound = false.groupby("protocol", sort=False)["low"].max() <= level
    power = rates[~rates["condition"].isin(nulls)].groupby("protocol", sort=False)["rate"].mean()
    return power[sound[sound].index].sort_values(ascending=False, kind="stable")
