"""The shape of targets: against closed forms, scipy and hand-made matrices."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from interp import geometry


def test_variances_are_the_squared_singular_values_of_the_centred_matrix():
    rng = np.random.default_rng(0)
    for shape in ((12, 30), (30, 12)):
        Y = rng.standard_normal(shape)
        expected = np.linalg.svd(Y - Y.mean(axis=0), compute_uv=False) ** 2
        assert np.allclose(geometry.variances(Y), expected, atol=1e-10 * expected[0])


def test_effective_rank_counts_equal_directions_and_is_below_the_rank_otherwise():
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((40, 5)) - rng.standard_normal((40, 5)).mean(axis=0))[0]
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    axes = np.linalg.qr(rng.standard_normal((20, 5)))[0]
    assert geometry.effective_rank(basis @ axes.T + 7) == pytest.approx(5)
    uneven = (basis * [5, 4, 3, 2, 1]) @ axes.T
    assert 1 < geometry.effective_rank(uneven) < 5
    assert geometry.effective_rank(np.full((6, 4), 3.0)) == 0


def test_effective_count_is_the_exponential_of_the_entropy():
    assert geometry.effective_count(np.array([1.0, 1, 1, 0])) == pytest.approx(3)
    p = np.array([0.5, 0.25, 0.25])
    assert geometry.effective_count(8 * p) == pytest.approx(2 ** (0.5 * 1 + 0.5 * 2))


def test_cumulated_share_ends_at_one():
    share = geometry.cumulated_share(np.array([3.0, 1.0]))
    assert share.tolist() == [0.75, 1.0]
    assert geometry.cumulated_share(np.zeros(3)).tolist() == [0, 0, 0]


def test_between_features_is_all_of_it_where_concepts_are_alike_and_none_where_means_are():
    assert geometry.between_features(np.tile([1.0, 2, 5], (4, 1))) == pytest.approx(1)
    assert geometry.between_features(np.array([[1.0, 0], [0, 1]])) == 0
    assert geometry.between_features(np.ones((3, 3))) == 0


def test_no_tie_free_prediction_beats_the_best_rho_and_one_reaches_it():
    rng = np.random.default_rng(2)
    y = np.where(rng.random(60) < 0.2, rng.integers(5, 12, 60), 0).astype(float)
    best = geometry.best_rho(rankdata(y)[None])[0]
    agreeing = y + 1e-6 * rng.random(60)
    assert spearmanr(agreeing, y).statistic == pytest.approx(best, abs=1e-12)
    assert all(spearmanr(rng.permutation(60), y).statistic < best for _ in range(200))


def test_best_rho_at_a_density_is_the_limit_of_long_rows():
    for density in (0.005, 0.1, 0.9):
        row = np.zeros((1, 20_000))
        count = round(density * row.size)
        row[0, :count] = np.arange(1, count + 1)
        assert geometry.best_rho_of(row) == pytest.approx(geometry.best_rho_at(density), abs=1e-4)
        assert geometry.density_for_rho(geometry.best_rho_at(density)) == pytest.approx(density)
    assert np.isnan(geometry.best_rho_of(np.zeros((2, 5))))


def test_rho_of_means_is_what_normal_ratings_give():
    rng = np.random.default_rng(3)
    for share in (0.1, 0.5, 0.9):
        means = rng.standard_normal(4000)
        rows = np.sqrt(share) * means + np.sqrt(1 - share) * rng.standard_normal((20, 4000))
        found = np.mean([spearmanr(row, means).statistic for row in rows])
        assert found == pytest.approx(geometry.rho_of_means(share), abs=0.03)
    assert geometry.rho_of_means(1.0) == pytest.approx(1)
