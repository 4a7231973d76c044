"""Evaluation protocols: ways to conclude, from scores, that an embedding holds the properties of concepts.

Each answers with a p-value for the null hypothesis that it does not. Papers differ in which of these they use, mostly
without saying so; their operating characteristics are what `interp.studies.ground_truth` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp.inference.permutation import PermutationNull
from interp.inference.scores import Scores
from interp.registry import Registry
from interp.resampling import crossing

TOP = 10
"""F1@10 looks at so many features."""


@dataclass(frozen=True, eq=False)
class Observed:
    """What a protocol may look at."""

    scores: Scores
    """Of the controls `CONTROLS_NEEDED`, with their floors and ceilings."""
    nulls: Mapping[str, PermutationNull]
    """By the control that permutes rows."""
    Y: Float[np.ndarray, "concept feature"]


@dataclass(frozen=True)
class Protocol:
    """One way to conclude."""

    name: str
    asks: str
    p_value: Callable[[Observed], float]


CONTROLS_NEEDED = ("original", "upper-bound", "noise", "shuffle-rows", "taxonomy-within", "random-lookup")
METRICS_NEEDED = ("f1@10", "map@k", "rho", "auc-feature", "nn-within@1", "nn-within-chance@1")

PROTOCOLS: Registry[Protocol] = Registry("evaluation protocol", "the chapter ground-truth")


def guessing(metric: str, Y: Float[np.ndarray, "concept feature"]) -> float:
    """What ten (or, for MAP@k, as many as there are gold features) features drawn at random would score."""
    gold = (Y > 0).sum(axis=1)
    gold = gold[gold > 0]
    share = gold / Y.shape[1]
    return {"f1@10": float((2 * TOP * share / (TOP + gold)).mean()), "map@k": float(share.mean()), "rho": 0.0}[metric]


def _raw(metric: str) -> Callable[[Observed], float]:
    def p_value(seen: Observed) -> float:
        return crossing(seen.scores.sample("original", metric, "held-out")[1], above=guessing(metric, seen.Y))

    return p_value


def _calibrated(metric: str) -> Callable[[Observed], float]:
    return lambda seen: crossing(seen.scores.sample("original", metric, "calibrated")[1], above=0)


def selectivity(scores: Scores, control: str, metric: str = "f1@10") -> tuple[float, Float[np.ndarray, "resample"]]:
    """Calibrated score of the original less that of a control, on the same resamples (Hewitt & Liang 2019)."""
    original, replicates = scores.sample("original", metric, "calibrated")
    other, others = scores.sample(control, metric, "calibrated")
    return original - other, replicates - others


def _selective(control: str) -> Callable[[Observed], float]:
    return lambda seen: crossing(selectivity(seen.scores, control)[1], above=0)


def _permuted(control: str) -> Callable[[Observed], float]:
    return lambda seen: seen.nulls[control].p_value("f1@10")[1]


def _within(seen: Observed) -> float:
    found, chance = (seen.scores.sample("original", m, "held-out")[1] for m in ("nn-within@1", "nn-within-chance@1"))
    return crossing(found - chance, above=0)


def _all(*names: str) -> Callable[[Observed], float]:
    """The largest p-value: a conclusion that each of these supports (intersection-union test)."""
    return lambda seen: max(PROTOCOLS[name].p_value(seen) for name in names)


def _add(name: str, asks: str, p_value: Callable[[Observed], float]) -> None:
    PROTOCOLS.add(name, Protocol(name, asks, p_value))


_add("raw F1@10", "is it better than guessing?", _raw("f1@10"))
_add("raw MAP@k", "is it better than guessing?", _raw("map@k"))
_add("raw rho", "is it above zero?", _raw("rho"))
_add("calibrated F1@10", "is it better than the mean vector?", _calibrated("f1@10"))
_add(
    "AUC per feature",
    "of two words, does the carrier of a feature get the higher prediction?",
    _calibrated("auc-feature"),
)
_add("selectivity: noise", "is it better than with noise for X?", _selective("noise"))
_add("selectivity: permuted rows", "is it better than on rows permuted once?", _selective("shuffle-rows"))
_add("permutation test", "is it better than on rows permuted many times?", _permuted("shuffle-rows"))
_add("selectivity: spelling", "is it better than with random vectors per word piece?", _selective("random-lookup"))
_add("retrieval in category", "is the own row the nearest of its category more often than by chance?", _within)
_add(
    "selectivity: category", "is it better than on rows permuted once within categories?", _selective("taxonomy-within")
)
_add(
    "permutation in category",
    "is it better than on rows permuted many times in categories?",
    _permuted("taxonomy-within"),
)
_add(
    "category and spelling",
    "is it better than rows permuted many times in categories, and than word pieces?",
    _all("permutation in category", "selectivity: spelling"),
)
