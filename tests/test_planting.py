"""Planted norms have the margins they were asked for and the signal they were given; protocols see what they should."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from interp.errors import InputError
from interp.inference import crossvalidate
from interp.inference.permutation import permutation_null
from interp.inference.planting import category_factors, planted, within_categories
from interp.inference.protocols import CONTROLS_NEEDED, METRICS_NEEDED, PROTOCOLS, Observed, guessing
from interp.resampling import crossing
from interp.studies.ground_truth import DOSES, NULLS, operating_characteristic, recommended
from tests.planted import Planted
from tests.planted import planted as linear_norms

CATEGORIES = tuple(f"c{i % 6}" for i in range(150))


@pytest.fixture(scope="module")
def like():
    return linear_norms(n=150, width=30, features=80, density=0.06)[1].values


@pytest.fixture(scope="module")
def X():
    """Embeddings that tell categories apart, and concepts within them."""
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((6, 30))
    return centres[[int(c[1:]) for c in CATEGORIES]] + rng.standard_normal((150, 30))


@pytest.mark.parametrize(("alpha", "category"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_margins_and_values_are_exactly_those_of_the_model(like, X, alpha, category):
    Y = planted(like, X, CATEGORIES, np.random.default_rng(0), alpha=alpha, category=category)
    np.testing.assert_array_equal((Y > 0).sum(axis=0), (like > 0).sum(axis=0))
    np.testing.assert_array_equal((Y > 0).sum(axis=1), (like > 0).sum(axis=1))
    np.testing.assert_array_equal(np.sort(Y[Y > 0]), np.sort(like[like > 0]))
    assert not np.array_equal(Y, like)


def test_category_factors_are_the_same_for_all_members():
    factors = category_factors(("a", "b", "a", ""), 3, np.random.default_rng(0))
    np.testing.assert_array_equal(factors[0], factors[2])
    assert not np.allclose(factors[0], factors[1])
    assert not np.allclose(factors[3], factors[0])
    np.testing.assert_allclose(factors.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(factors.var(axis=0), 1)
    with pytest.raises(InputError, match="one category"):
        category_factors(("a", "a"), 3, np.random.default_rng(0))


def test_within_categories_takes_the_means_away():
    X = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 5.0], [9.0, 9.0]])
    np.testing.assert_allclose(within_categories(X, ("a", "a", "", "")), [[-1, 0], [1, 0], [0, 0], [0, 0]])


def test_what_cannot_be_planted_is_refused(like, X):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="category share 2"):
        planted(like, X, CATEGORIES, rng, alpha=0, category=2)
    empty = like.copy()
    empty[:, 0] = 0
    with pytest.raises(InputError, match="has a carrier"):
        planted(empty, X, CATEGORIES, rng, alpha=0, category=0)


def test_guessing_is_what_random_features_score():
    rng = np.random.default_rng(0)
    Y = np.where(rng.random((40, 50)) < rng.uniform(0.02, 0.3, 40)[:, None], 1.0, 0.0)
    Y[Y.sum(axis=1) == 0, 0] = 1
    gold = Y.sum(axis=1)
    found = {"f1@10": [], "map@k": []}
    for _ in range(2000):
        order = rng.permuted(np.tile(np.arange(50), (40, 1)), axis=1)
        hits = np.take_along_axis(Y, order[:, :10], axis=1).sum(axis=1)
        found["f1@10"].append((2 * hits / (10 + gold)).mean())
        at_k = [Y[i, order[i, : int(k)]].mean() for i, k in enumerate(gold)]
        found["map@k"].append(np.mean(at_k))
    for metric, values in found.items():
        assert guessing(metric, Y) == pytest.approx(np.mean(values), abs=0.003)
    assert guessing("rho", Y) == 0


def test_crossing_counts():
    assert crossing(np.array([-1.0, 0.0, 1.0, 2.0]), above=0) == pytest.approx(3 / 5)
    assert crossing(np.array([1.0, np.nan, 2.0]), above=0) == pytest.approx(1 / 3)
    assert crossing(np.array([np.nan]), above=0) == 1


def concluded(like, X, *, alpha, category, seed):
    """Which protocols say yes."""
    Y = planted(like, X, CATEGORIES, np.random.default_rng(seed), alpha=alpha, category=category, rank=10)
    norms = Planted(Y, tuple(f"w{i}" for i in range(150)), CATEGORIES)
    pieces = [(i, i % 9) for i in range(150)]
    common = {"folds": 4, "largest": 8}
    scores = crossvalidate(
        X, norms, controls=CONTROLS_NEEDED, metrics=METRICS_NEEDED, seeds=[seed], pieces=pieces, resamples=300, **common
    )
    nulls = {
        control: permutation_null(X, norms, range(20), control=control, metrics=["f1@10"], seed=seed, **common)
        for control in ("shuffle-rows", "taxonomy-within")
    }
    return {name for name, p in PROTOCOLS.items() if p.p_value(Observed(scores, nulls, Y)) <= 0.05}


@pytest.mark.slow
def test_protocols_see_what_is_there_and_some_see_what_is_not(like, X):
    nothing = concluded(like, X, alpha=0.0, category=0.0, seed=2)
    assert {"raw F1@10", "raw rho"} <= nothing, "better than guessing, without any signal"
    assert not {"category and spelling", "permutation in category", "AUC per feature"} & nothing
    category = concluded(like, X, alpha=0.0, category=0.95, seed=2)
    assert {"calibrated F1@10", "permutation test", "selectivity: noise"} <= category
    assert "category and spelling" not in category, "it asks for more than category"
    signal = concluded(like, X, alpha=1.0, category=0.3, seed=1)
    assert {"category and spelling", "permutation in category", "selectivity: category", "calibrated F1@10"} <= signal


def rates_of(**by_protocol):
    """A table of p-values: for each protocol, how many of 20 sets say yes in each condition."""
    rows = []
    for protocol, counts in by_protocol.items():
        for condition, yes in zip((*NULLS, *DOSES), counts, strict=True):
            for i in range(20):
                p = 0.01 if i < yes else 0.5
                rows.append({"condition": condition.name, "alpha": condition.alpha, "protocol": protocol, "p": p})
    return operating_characteristic(pd.DataFrame(rows))


def test_a_p_value_at_the_level_counts_in_single_precision_too():
    at = pd.DataFrame({"condition": "nothing", "alpha": 0.0, "protocol": "any", "p": np.float32([1 / 20, 0.051])})
    assert operating_characteristic(at)["rate"].tolist() == [0.5]


def test_rates_and_their_intervals():
    rates = rates_of(sound=(1, 0, 2, 4, 8, 15, 20), blind=(0, 18, 19, 20, 20, 20, 20), weak=(0, 0, 0, 0, 0, 1, 2))
    row = rates.set_index(["protocol", "condition"]).loc[("sound", "alpha 0.4")]
    assert row["rate"] == 0.75
    expected = stats.binomtest(15, 20).proportion_ci(method="wilson")
    assert (row["low"], row["high"]) == (expected.low, expected.high)
    best = recommended(rates)
    assert list(best.index) == ["sound", "weak"], "a rule that errs is not recommended, however powerful"
    assert best["sound"] == pytest.approx(np.mean([4, 8, 15, 20]) / 20)
