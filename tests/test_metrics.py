"""Every metric against an obvious slow version, scikit-learn or scipy, and on predictions whose score is known."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import r2_score, roc_auc_score

from interp.inference import featurewise
from interp.inference.featurewise import auc_tally, combine, fold_score, rho_tally
from interp.inference.metrics import FAMILIES, FEATUREWISE, METRICS, NEIGHBOURS, Prediction, Truth
from interp.ranks import average_ranks
from tests import slow_metrics


def norms(n=60, features=30, density=0.15, seed=0, *, dense=False):
    rng = np.random.default_rng(seed)
    if dense:
        return rng.uniform(0.1, 6, (n, features))
    Y = rng.integers(5, 30, (n, features)) * (rng.random((n, features)) < density)
    Y[Y.sum(axis=1) == 0, 0] = 7
    Y[3] = Y[4]  # two concepts with one row
    return Y.astype(float)


def folds_of(Y, seed=0, *, ties=False, noise=3.0):
    rng = np.random.default_rng(seed)
    found = []
    for rows in np.array_split(rng.permutation(len(Y)), 4):
        predicted = Y[rows] * 0.3 + noise * rng.standard_normal((len(rows), Y.shape[1]))
        if ties:
            predicted = np.round(predicted)
        found.append((np.sort(rows), predicted[np.argsort(rows)]))
    return found


def value(tally):
    return tally.numerator.sum() / tally.weight.sum()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("dense", [False, True])
def test_concept_scores_equal_the_slow_version(dense, ties):
    Y = norms(dense=dense)
    truth = Truth(Y, ["a"] * len(Y))
    assert truth.dense == dense
    for rows, predicted in folds_of(Y, ties=ties):
        prediction = Prediction(rows, predicted, Y.mean(axis=0))
        fast = FAMILIES["retrieval"](truth, prediction) | FAMILIES["rank"](truth, prediction)
        for k, (row, guess) in enumerate(zip(rows, predicted, strict=True)):
            with np.errstate(invalid="ignore"):
                slow = slow_metrics.per_concept(guess, Y[row], dense)
            for name, expected in slow.items():
                if np.isnan(expected):  # constant on the gold features: 0 or undefined
                    assert fast[name].numerator[k] == 0
                else:
                    assert fast[name].numerator[k] == pytest.approx(expected, abs=1e-9), name


def test_ties_score_as_the_average_over_random_orders():
    Y = norms()
    rows = np.arange(10)
    rng = np.random.default_rng(1)
    predicted = rng.integers(0, 3, (10, Y.shape[1])).astype(float)
    truth = Truth(Y, ["a"] * len(Y))
    exact = FAMILIES["retrieval"](truth, Prediction(rows, predicted, Y.mean(axis=0)))
    drawn = [
        FAMILIES["retrieval"](truth, Prediction(rows, predicted + 1e-6 * rng.random(predicted.shape), Y.mean(axis=0)))
        for _ in range(3000)
    ]
    for name in ("f1@10", "map@k"):
        assert value(exact[name]) == pytest.approx(np.mean([value(d[name]) for d in drawn]), abs=0.003)


def test_rho_max_is_reached_and_not_passed():
    row = np.zeros(500)
    row[:13] = np.arange(13) + 5
    best = slow_metrics.best_rho(row)
    truth = Truth(np.stack([row, row]), ["a", "a"])
    tally = FAMILIES["rank"](truth, Prediction(np.array([0]), row[None] + 1e-6 * np.arange(500), row))
    assert tally["rho-max"].numerator[0] == pytest.approx(best)
    rng = np.random.default_rng(0)
    agreeing = row + 1e-6 * rng.random(500)
    assert FAMILIES["rank"](truth, Prediction(np.array([0]), agreeing[None], row))["rho"].numerator[0] <= best + 1e-12


def test_errors_equal_scikit_learn():
    Y = norms()
    rows, predicted = folds_of(Y)[0]
    constant = np.full(
        Y.shape[1], Y[rows].mean()
    )  # r2_score centres on the test data; so does a common centre of all cells
    tallies = FAMILIES["error"](Truth(Y, ["a"] * 60), Prediction(rows, predicted, constant))
    assert value(tallies["mse"]) == pytest.approx(((predicted - Y[rows]) ** 2).mean())
    assert value(tallies["r2"]) == pytest.approx(r2_score(Y[rows].ravel(), predicted.ravel()))


@pytest.mark.parametrize("dense", [False, True])
def test_neighbours_equal_the_slow_version(dense):
    Y = norms(dense=dense)
    taxonomy = np.array([f"c{i % 3}" for i in range(50)] + ["uncategorised"] * 10)
    truth = Truth(Y, taxonomy)
    mean = Y.mean(axis=0)
    for rows, predicted in folds_of(Y):
        tallies = FAMILIES["neighbour"](truth, Prediction(rows, predicted, mean))
        for k, (i, guess) in enumerate(zip(rows, predicted, strict=True)):
            own = [j for j in range(60) if taxonomy[j] == taxonomy[i]]
            for n in NEIGHBOURS:
                everyone = slow_metrics.neighbours(guess, i, Y, mean, n, range(60))
                assert tallies[f"nn@{n}"].numerator[k] == pytest.approx(everyone)
                within = tallies[f"nn-within@{n}"]
                if taxonomy[i] == "uncategorised" or len(own) <= n:
                    assert within.weight[k] == 0
                else:
                    assert within.numerator[k] == pytest.approx(slow_metrics.neighbours(guess, i, Y, mean, n, own))
                    assert tallies[f"nn-within-chance@{n}"].numerator[k] == pytest.approx(n / len(own))


def test_two_vs_two_equals_the_loop_over_pairs():
    Y = norms()
    rows, predicted = folds_of(Y)[0]
    mean = Y.mean(axis=0)
    won = []
    for a in range(len(rows)):
        for b in range(a):
            cos = [[slow_metrics.cosine(predicted[p] - mean, Y[rows[q]] - mean) for q in (a, b)] for p in (a, b)]
            gain = cos[0][0] + cos[1][1] - cos[0][1] - cos[1][0]
            won.append(0.5 if abs(gain) < 1e-12 else gain > 0)
    tally = FAMILIES["pair"](Truth(Y, ["a"] * 60), Prediction(rows, predicted, mean))["2v2"]
    assert value(tally) == pytest.approx(np.mean(won))


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("metric", ["auc-feature", "rho-feature"])
def test_feature_scores_equal_the_slow_version(metric, ties, dense):
    Y = norms(dense=dense)
    truth = Truth(Y, ["a"] * 60)
    folds = folds_of(Y, ties=ties)
    tallies = [(rows, FEATUREWISE[metric](truth, Prediction(rows, p, Y.mean(axis=0)))) for rows, p in folds]
    numerator, weight = combine(tallies, len(Y))
    slow = slow_metrics.auc_feature if metric == "auc-feature" else slow_metrics.rho_feature
    assert numerator.sum() / weight.sum() == pytest.approx(slow(folds, Y, truth.carries))
    assert weight.sum() == 60


def test_auc_of_one_feature_equals_scikit_learn():
    rng = np.random.default_rng(0)
    carries, predicted = rng.random((40, 1)) < 0.3, np.round(rng.standard_normal((40, 1)), 1)
    assert fold_score(auc_tally(predicted, carries)) == pytest.approx(roc_auc_score(carries[:, 0], predicted[:, 0]))


@pytest.mark.parametrize("kind", ["auc", "rho"])
def test_influence_is_the_derivative_by_a_concepts_weight(kind):
    """Copying a concept changes the score as its influence says (to first order, in a large sample)."""
    rng = np.random.default_rng(0)
    n = 400
    predicted = rng.standard_normal((n, 3))
    true = (predicted + rng.standard_normal((n, 3)) > 0.8).astype(float)

    def tally(rows):
        if kind == "auc":
            return auc_tally(predicted[rows], true[rows] > 0)
        return rho_tally(predicted[rows], true[rows])

    everyone = np.arange(n)
    numerator, weight = combine([(everyone, tally(everyone))], n)
    score = numerator.sum() / weight.sum()
    for i in range(0, 40, 4):
        copied = fold_score(tally(np.append(everyone, i)))
        assert copied - score == pytest.approx((numerator[i] - score) / n, abs=2e-4)


def test_a_constant_prediction_is_at_chance():
    Y = norms()
    truth = Truth(Y, ["a"] * 60)
    rows = np.arange(20)
    mean = Y[20:].mean(axis=0)
    constant = Prediction(rows, np.tile(mean, (20, 1)), mean)
    assert fold_score(FEATUREWISE["auc-feature"](truth, constant)) == 0.5
    assert fold_score(FEATUREWISE["rho-feature"](truth, constant)) == 0
    assert value(FAMILIES["pair"](truth, constant)["2v2"]) == 0.5
    tallies = FAMILIES["neighbour"](truth, constant)
    assert value(tallies["nn@5"]) == pytest.approx(5 / 60)
    assert value(tallies["nn-percentile"]) == pytest.approx(0.5)
    assert value(FAMILIES["error"](truth, constant)["r2"]) == 0


def test_the_truth_itself_scores_best():
    Y = norms()
    Y[4, 5] += 1  # no repeated rows here
    truth = Truth(Y, ["a"] * 60)
    rows = np.arange(20)
    oracle = Prediction(rows, Y[rows], Y.mean(axis=0))
    found = {name: value(t) for family in FAMILIES.values() for name, t in family(truth, oracle).items()}
    assert found["map@k"] == pytest.approx(1)
    assert found["nn@1"] == found["2v2"] == found["r2"] == found["rho"] == pytest.approx(1)
    assert found["mse"] == 0


def test_concepts_without_features_are_left_out():
    Y = norms()
    Y[7] = 0
    prediction = Prediction(np.array([6, 7]), Y[[6, 7]] + 0.1, Y.mean(axis=0))
    truth = Truth(Y, ["a"] * 60)
    assert list(FAMILIES["retrieval"](truth, prediction)["f1@10"].weight) == [1, 0]
    assert list(FAMILIES["rank"](truth, prediction)["rho"].weight) == [1, 0]
    assert list(FAMILIES["neighbour"](truth, prediction)["nn@1"].weight) == [1, 0]
    assert list(FAMILIES["error"](truth, prediction)["mse"].weight) == [1, 1]


def test_every_registered_metric_is_computed_by_its_family():
    Y = norms()
    prediction = Prediction(np.arange(20), Y[:20] + 0.1, Y.mean(axis=0))
    truth = Truth(Y, ["a"] * 60)
    computed = {n for family in FAMILIES.values() for n in family(truth, prediction)} | set(FEATUREWISE)
    assert computed == set(METRICS)


@pytest.mark.parametrize("density", [0.02, 0.2, 0.5, 1.0])
def test_auc_by_ranks_and_by_pairs_are_the_same_to_the_last_digit(density):
    """With ties in the predictions, features that all carry and features that nobody does."""
    rng = np.random.default_rng(4)
    predicted = np.round(rng.standard_normal((31, 40)), 1)
    carries = rng.random((31, 40)) < density
    carries[:, 0], carries[:, 1] = True, False
    by_ranks, by_pairs = featurewise._by_ranks(predicted, carries), featurewise._by_pairs(predicted, carries)
    for ranks, pairs in zip(by_ranks.parts, by_pairs.parts, strict=True):
        np.testing.assert_array_equal(ranks, pairs)


@pytest.mark.parametrize("levels", [1, 3, 50, None])
def test_average_ranks_are_those_of_scipy(levels):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 40)) if levels is None else rng.integers(levels, size=(7, 40)).astype(float)
    np.testing.assert_array_equal(average_ranks(values), rankdata(values, axis=1))
    assert average_ranks(values[:, :0]).shape == (7, 0)
