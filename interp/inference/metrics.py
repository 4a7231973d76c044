"""Scores of predicted feature vectors, concept by concept and feature by feature (PROTOCOL 5).

Every metric is a ratio of sums over the test concepts, so that an interval is a resampling of concepts: a concept
contributes a numerator and a weight, the score is sum(numerators) / sum(weights), and a concept on which the metric is
undefined has weight 0. Scores that are averages over features (`auc-feature`, `rho-feature`) are brought into this form
by their influence functions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.stats import rankdata

from interp.geometry import best_rho
from interp.inference.featurewise import FeatureTally, auc_tally, rho_tally
from interp.ranks import average_ranks
from interp.registry import Registry
from interp.targets import UNCATEGORISED, is_dense

TOP = 10
"""The ten highest predictions are what P@10, R@10 and F1@10 look at."""

NEIGHBOURS = (1, 5, 10, 20)

FEWEST_CARRIERS = 5
"""Feature-wise scores look at features that at least this many concepts carry."""

SAME = 1e-12
"""Cosines nearer than this are ties (equal target rows give equal cosines but for rounding)."""


@dataclass(frozen=True)
class Metric:
    """What a metric measures and how to read it."""

    name: str
    meaning: str
    family: str
    """Metrics of one family are computed together."""
    higher_is_better: bool = True
    reference: bool = False
    """A value to read another metric by (a best possible or a chance level), not a score of the prediction."""


METRICS: Registry[Metric] = Registry("metric", "interp metrics")
"""Every metric: what it measures, on held-out concepts."""
for _metric in (
    Metric("p@10", "share of gold features among the ten highest predictions", "retrieval"),
    Metric("r@10", "share of the gold features found among the ten highest predictions", "retrieval"),
    Metric("f1@10", "harmonic mean of P@10 and R@10, per concept", "retrieval"),
    Metric("map@k", "share of gold among the k highest predictions, k = size of the gold set", "retrieval"),
    Metric("rho", "Spearman correlation of predicted and true vector over all features", "rank"),
    Metric("rho-max", "the rho that the best prediction without ties would have", "rank", reference=True),
    Metric("rho-gold", "Spearman correlation over the gold features only", "rank"),
    Metric("auc-feature", "ROC AUC of carrying a feature, within test folds, mean over features", "feature"),
    Metric("rho-feature", "rank correlation over concepts, within test folds, mean over features", "feature"),
    Metric("mse", "mean squared error over all cells", "error", higher_is_better=False),
    Metric("r2", "share of the squared deviation from the training mean that is explained, pooled", "error"),
    *(Metric(f"nn@{n}", f"own true vector among the {n} nearest of all concepts", "neighbour") for n in NEIGHBOURS),
    Metric("nn-percentile", "mean percentile of the own true vector among all concepts", "neighbour"),
    *(
        Metric(f"nn-within@{n}", f"own true vector among the {n} nearest of its own category", "neighbour")
        for n in NEIGHBOURS
    ),
    *(
        Metric(f"nn-within-chance@{n}", f"chance level of nn-within@{n}", "neighbour", reference=True)
        for n in NEIGHBOURS
    ),
    Metric("2v2", "matched assignment of two test concepts beats the swapped one (cosine)", "pair"),
):
    METRICS.add(_metric.name, _metric)

RETRIEVAL_LIKE = ("retrieval", "neighbour")
"""Families that have no meaning where gold sets are huge or target rows repeat."""


@dataclass(frozen=True)
class Tally:
    """What each test concept contributes: the score is numerator.sum() / weight.sum()."""

    numerator: Float[np.ndarray, "concept"]
    weight: Float[np.ndarray, "concept"]


class Truth:
    """The target matrix and what metrics need to know of it, computed once and shared by all folds.

    Parameters
    ----------
    Y
        Concepts x features.
    taxonomy
        One category per concept, for the neighbours within it.
    """

    def __init__(self, Y: Float[np.ndarray, "concept feature"], taxonomy: Iterable[str]) -> None:
        self.Y = Y
        self.taxonomy = np.asarray(list(taxonomy))
        self.dense = is_dense(Y)
        self._latest: tuple[Prediction, np.ndarray] | None = None

    @cached_property
    def gold(self) -> Bool[np.ndarray, "concept feature"]:
        """Features with value > 0; of dense ratings, those not below the concept's tenth highest."""
        if not self.dense:
            return self.Y > 0
        if self.Y.shape[1] <= TOP:
            return np.ones_like(self.Y, dtype=bool)
        tenth = np.partition(self.Y, -TOP, axis=1)[:, [-TOP]]
        return tenth <= self.Y

    @cached_property
    def ranks(self) -> Float[np.ndarray, "concept feature"]:
        """Average ranks of each concept's values over the features."""
        return rankdata(self.Y, axis=1)

    @cached_property
    def scored_features(self) -> Int[np.ndarray, "scored"]:
        """Features that at least `FEWEST_CARRIERS` concepts carry, and that some do not."""
        count = self.carries.sum(axis=0)
        return np.flatnonzero((count >= FEWEST_CARRIERS) & (count < len(self.Y)))

    @cached_property
    def carries(self) -> Bool[np.ndarray, "concept feature"]:
        """Who carries what: value > 0; of dense ratings, above the feature's median."""
        return np.median(self.Y, axis=0) < self.Y if self.dense else self.Y > 0

    @cached_property
    def candidates(self) -> "sparse.csr_array | np.ndarray":
        """The true vectors in the form that multiplies fastest."""
        return sparse.csr_array(self.Y) if (self.Y != 0).mean() < 0.1 else self.Y

    @cached_property
    def squared_norms(self) -> Float[np.ndarray, "concept"]:
        """Squared length of every true vector."""
        return (self.Y**2).sum(axis=1)

    @cached_property
    def retrievable(self) -> bool:
        """Whether retrieving gold features or the own vector makes sense at all.

        Not where gold sets are huge (a quarter of the features on average), nor where a fifth of the rows repeat
        another row (`nonsense-length`: words of one length have one target).
        """
        repeated = 1 - len(np.unique(self.Y, axis=0)) / len(self.Y)
        return bool(self.gold.sum(axis=1).mean() <= 0.25 * self.Y.shape[1] and repeated <= 0.2)

    def cosines(self, prediction: "Prediction") -> Float[np.ndarray, "test concept"]:
        """Cosines of predictions with all true vectors, both less the training mean; kept for the next family.

        A prediction that equals the mean has no direction: all its cosines are 0, that is, tied.
        """
        if self._latest is None or self._latest[0] is not prediction:
            self._latest = (prediction, self._cosines(prediction.values, prediction.train_mean))
        return self._latest[1]

    def _cosines(
        self, predicted: Float[np.ndarray, "test feature"], centre: Float[np.ndarray, "feature"]
    ) -> Float[np.ndarray, "test concept"]:
        p = predicted - centre
        length = np.sqrt((p**2).sum(axis=1, keepdims=True))
        p = np.divide(p, length, out=np.zeros_like(p), where=length > 0)
        along = self.Y @ centre if isinstance(self.candidates, np.ndarray) else self.candidates @ centre
        squared = self.squared_norms - 2 * along + centre @ centre
        true_length = np.sqrt(np.clip(squared, 0, None))
        products = (self.candidates @ p.T).T - (p @ centre)[:, None]
        return np.divide(products, true_length, out=np.zeros_like(products), where=true_length > 0)


@dataclass(frozen=True)
class Prediction:
    """Predictions for the concepts `rows` of one fold."""

    rows: Int[np.ndarray, "test"]
    values: Float[np.ndarray, "test feature"]
    train_mean: Float[np.ndarray, "feature"]


Family = Callable[[Truth, Prediction], dict[str, Tally]]


def _over(defined: np.ndarray, value: np.ndarray) -> Tally:
    """A mean over the concepts on which the metric is defined."""
    weight = defined.astype(float)
    return Tally(np.where(defined, value, 0.0), weight)


def expected_hits(
    predicted: Float[np.ndarray, "test feature"],
    gold: Bool[np.ndarray, "test feature"],
    k: Int[np.ndarray, "test"],
    descending: Float[np.ndarray, "test feature"],
) -> Float[np.ndarray, "test"]:
    """Expected number of gold features among the k highest predictions, ties broken at random.

    `descending` holds each row of `predicted` sorted from high to low; k is at least 1.
    """
    threshold = np.take_along_axis(descending, (k - 1)[:, None], axis=1)
    above, tied = predicted > threshold, predicted == threshold
    room = k - above.sum(axis=1)
    return (gold & above).sum(axis=1) + room * (gold & tied).sum(axis=1) / tied.sum(axis=1)


def retrieval(truth: Truth, prediction: Prediction) -> dict[str, Tally]:
    """P@10, R@10, F1@10 and MAP@k. F1 = 2 hits / (10 + gold), so its expectation over ties is exact, too."""
    gold = truth.gold[prediction.rows]
    size = gold.sum(axis=1)
    defined = size > 0
    descending = -np.sort(-prediction.values, axis=1)
    top = min(TOP, prediction.values.shape[1])
    hits = expected_hits(prediction.values, gold, np.full(len(gold), top), descending)
    hits_k = expected_hits(prediction.values, gold, np.maximum(size, 1), descending)
    some = np.maximum(size, 1)
    return {
        "p@10": _over(defined, hits / top),
        "r@10": _over(defined, hits / some),
        "f1@10": _over(defined, 2 * hits / (top + some)),
        "map@k": _over(defined, hits_k / some),
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row-wise Pearson correlation, and where it is defined (b varies); 0 where only a is constant."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    spread_a, spread_b = (a**2).sum(axis=1), (b**2).sum(axis=1)
    defined = spread_b > 0
    bottom = np.sqrt(spread_a * spread_b)
    return np.divide((a * b).sum(axis=1), bottom, out=np.zeros(len(a)), where=bottom > 0), defined


def rank(truth: Truth, prediction: Prediction) -> dict[str, Tally]:
    """Spearman's rho over all features and over gold features, and the best rho without ties (`geometry.best_rho`)."""
    true_ranks = truth.ranks[prediction.rows]
    rho, defined = _correlation(average_ranks(prediction.values), true_ranks)
    on_gold, gold_defined = _within_gold(truth, prediction)
    return {
        "rho": _over(defined, rho),
        "rho-max": _over(defined, best_rho(true_ranks)),
        "rho-gold": _over(gold_defined, on_gold),
    }


def _within_gold(truth: Truth, prediction: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Spearman's rho over each concept's own gold features; undefined with fewer than two, or if they are all tied."""
    gold = truth.gold[prediction.rows]
    size = gold.sum(axis=1)
    width = max(int(size.max(initial=0)), 1)
    columns = np.argsort(~gold, axis=1, kind="stable")[:, :width]  # gold features first
    beyond = np.arange(width) >= size[:, None]

    def ranks(values: np.ndarray) -> np.ndarray:
        """Average ranks, centred; what is beyond the gold set ranks last and counts nothing."""
        mine = np.where(beyond, np.inf, np.take_along_axis(values, columns, axis=1))
        return np.where(beyond, 0.0, rankdata(mine, axis=1) - (size[:, None] + 1) / 2)

    a, b = ranks(prediction.values), ranks(truth.Y[prediction.rows])
    bottom = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    rho = np.divide((a * b).sum(axis=1), bottom, out=np.zeros(len(a)), where=bottom > 0)
    return rho, (size > 1) & ((b**2).sum(axis=1) > 0)


def error(truth: Truth, prediction: Prediction) -> dict[str, Tally]:
    """MSE, and R2 = 1 - SSE / SST over all cells, SST about the training mean."""
    true = truth.Y[prediction.rows]
    sse = ((prediction.values - true) ** 2).sum(axis=1)
    sst = ((true - prediction.train_mean) ** 2).sum(axis=1)
    return {"mse": Tally(sse / true.shape[1], np.ones(len(true))), "r2": Tally(sst - sse, sst)}


def neighbour(truth: Truth, prediction: Prediction) -> dict[str, Tally]:
    """Is a concept's own true vector among the nearest? Over all concepts, and within its category."""
    cosines = truth.cosines(prediction)
    own = np.take_along_axis(cosines, prediction.rows[:, None], axis=1)
    nearer, tied = cosines > own + SAME, np.abs(cosines - own) <= SAME
    has_row = truth.squared_norms[prediction.rows] > 0

    def hit(n: int, before: np.ndarray, equal: np.ndarray) -> np.ndarray:
        """Chance that fewer than n candidates come first, ties broken at random (the own vector ties with itself)."""
        return np.clip((n - before) / np.maximum(equal, 1), 0, 1)

    everyone = nearer.sum(axis=1), tied.sum(axis=1)
    others = len(truth.Y) - 1
    percentile = 1 - (everyone[0] + (everyone[1] - 1) / 2) / max(others, 1)
    result = {"nn-percentile": _over(has_row, percentile)}
    mine = truth.taxonomy[prediction.rows]
    category = (mine[:, None] == truth.taxonomy[None]) & (mine != UNCATEGORISED)[:, None]
    size = category.sum(axis=1)
    own_kind = (nearer & category).sum(axis=1), (tied & category).sum(axis=1)
    for n in NEIGHBOURS:
        result[f"nn@{n}"] = _over(has_row, hit(n, *everyone))
        large = has_row & (size > n)
        result[f"nn-within@{n}"] = _over(large, hit(n, *own_kind))
        result[f"nn-within-chance@{n}"] = _over(large, n / np.maximum(size, 1))
    return result


def pair(truth: Truth, prediction: Prediction) -> dict[str, Tally]:
    """2v2 (Mitchell et al. 2008): a pair is won if cos(i, i) + cos(j, j) > cos(i, j) + cos(j, i); a tie is half."""
    among = truth.cosines(prediction)[:, prediction.rows]
    own = np.diag(among)
    gain = own[:, None] + own[None] - among - among.T
    won = np.where(np.abs(gain) <= SAME, 0.5, gain > 0)
    np.fill_diagonal(won, 0)
    n = len(own)
    return {"2v2": Tally(won.sum(axis=1), np.full(n, n - 1.0))}


FAMILIES: dict[str, Family] = {
    "retrieval": retrieval,
    "rank": rank,
    "error": error,
    "neighbour": neighbour,
    "pair": pair,
}

FEATUREWISE: dict[str, Callable[[Truth, Prediction], FeatureTally]] = {
    "auc-feature": lambda truth, prediction: auc_tally(
        prediction.values[:, truth.scored_features],
        truth.carries[np.ix_(prediction.rows, truth.scored_features)],
    ),
    "rho-feature": lambda truth, prediction: rho_tally(
        prediction.values[:, truth.scored_features], truth.Y[np.ix_(prediction.rows, truth.scored_features)]
    ),
}
