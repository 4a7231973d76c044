"""Synthetic targets: margins, density, rank and link are what was asked for, exactly where that is promised."""

import numpy as np
import pytest

from interp import geometry
from interp.errors import InputError
from interp.inference import crossvalidate, synthetic
from tests.planted import Planted

N, WIDTH, FEATURES = 90, 24, 50


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(9).standard_normal((N, WIDTH)) * np.linspace(3, 0.3, WIDTH)


def rng(seed=0):
    return np.random.default_rng(seed)


def explained(X, A):
    """Share of the variance of the columns of A that is linear in X."""
    U = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0]
    A = A - A.mean(axis=0)
    return float(((U.T @ A) ** 2).sum() / (A**2).sum())


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_factors_have_one_covariance_whatever_the_link(X, alpha):
    F = synthetic.linked_factors(X, 7, alpha, rng())
    assert np.allclose(F.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(F.T @ F / N, np.eye(7), atol=1e-10)


def test_alpha_one_is_linear_and_alpha_zero_never_looks_at_the_embedding(X):
    assert explained(X, synthetic.linked_factors(X, 7, 1.0, rng())) == pytest.approx(1, abs=1e-10)
    other = rng(5).standard_normal((N, 3))
    assert np.array_equal(synthetic.linked_factors(X, 7, 0.0, rng()), synthetic.linked_factors(other, 7, 0.0, rng()))


def test_the_linear_share_grows_with_alpha_from_chance_to_one(X):
    shares = [
        np.mean([explained(X, synthetic.linked_factors(X, 7, a, rng(s))) for s in range(20)])
        for a in (0, 0.25, 0.5, 0.75, 1)
    ]
    assert (np.diff(shares) > 0.05).all()
    # By chance: as much as the dimensions of X are of those of the centred concepts.
    assert shares[0] == pytest.approx(WIDTH / (N - 1), abs=0.03)
    # In between: what is planted, and chance on the rest.
    assert shares[2] == pytest.approx(0.5 + 0.5 * WIDTH / (N - 1), abs=0.04)


def test_leading_directions_lie_in_the_leading_components(X):
    U = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0]
    inside = synthetic.linked_factors(X, 4, 1.0, rng(), leading=6)
    assert ((U[:, :6].T @ inside) ** 2).sum() == pytest.approx((inside**2).sum())
    anywhere = synthetic.linked_factors(X, 4, 1.0, rng())
    assert ((U[:, :6].T @ anywhere) ** 2).sum() < 0.95 * (anywhere**2).sum()


def test_scores_have_the_rank_and_unit_variance(X):
    for rank in (1, 5, 20):
        L = synthetic.scores(synthetic.linked_factors(X, rank, 0.5, rng()), FEATURES, rng())
        assert np.linalg.matrix_rank(L) == rank
        assert np.allclose(L.std(axis=0), 1)
        assert np.allclose(L.mean(axis=0), 0, atol=1e-12)


def test_decay_lowers_the_effective_rank(X):
    F = synthetic.linked_factors(X, 20, 0.0, rng())
    flat, steep = (geometry.effective_rank(synthetic.scores(F, 200, rng(), decay=d)) for d in (0.0, 1.0))
    assert steep < 0.7 * flat


def test_dense_ratings_keep_rank_and_have_the_share_between_features(X):
    L = synthetic.scores(synthetic.linked_factors(X, 6, 1.0, rng()), FEATURES, rng())
    for between in (0.0, 0.2, 0.8):
        Y = synthetic.dense_ratings(L, between, rng())
        assert np.linalg.matrix_rank(Y - Y.mean(axis=0)) == 6
        assert geometry.between_features(Y) == pytest.approx(between, abs=1e-10)
        assert Y.mean() == pytest.approx(3)
        assert Y.std() == pytest.approx(1.5)
        assert explained(X, Y) == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("density", [0.012, 0.05, 0.2, 0.4])
def test_the_power_law_sums_to_the_density_exactly(density):
    counts = synthetic.power_law_carriers(FEATURES, N, density)
    assert counts.sum() == round(density * N * FEATURES)
    assert counts.min() >= 1
    assert counts.max() <= N // 2
    assert (np.diff(counts) <= 0).all()


def test_the_power_law_has_its_exponent_where_nothing_is_clipped():
    counts = synthetic.power_law_carriers(400, 100_000, 0.01, exponent=0.75)
    slope = np.polyfit(np.log(np.arange(1, 401)), np.log(counts), 1)[0]
    assert slope == pytest.approx(-0.75, abs=0.02)


@pytest.mark.parametrize("rank", [1, 8, 60])
def test_sparse_features_have_both_margins_exactly(rank):
    L = synthetic.scores(synthetic.linked_factors(rng().standard_normal((N, 70)), rank, 0.5, rng()), FEATURES, rng())
    counts = rng(1).permutation(synthetic.power_law_carriers(FEATURES, N, 0.08))
    quotas = synthetic.even_quotas(counts.sum(), N, rng())
    mask = synthetic.sparse_features(L, counts, quotas, rng())
    assert np.array_equal(mask.sum(axis=0), counts)
    assert np.array_equal(mask.sum(axis=1), quotas)
    assert quotas.max() - quotas.min() <= 1


def test_margins_of_any_real_matrix_can_be_had_again():
    real = rng(3).random((30, 20)) < rng(4).beta(0.4, 2, 20)
    mask = synthetic.sparse_features(rng().standard_normal((30, 20)), real.sum(axis=0), real.sum(axis=1), rng())
    assert np.array_equal(mask.sum(axis=0), real.sum(axis=0))
    assert np.array_equal(mask.sum(axis=1), real.sum(axis=1))


def test_trades_come_near_the_best_matrix_with_these_margins():
    """Against the exact solution by linear programming (its polytope has 0/1 corners)."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    n, m = 25, 14
    L = rng(2).standard_normal((n, m))
    counts = rng(1).permutation(synthetic.power_law_carriers(m, n, 0.25))
    quotas = synthetic.even_quotas(counts.sum(), n, rng())
    margins = [kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))]
    best = linprog(-L.ravel(), A_eq=vstack(margins), b_eq=np.concatenate([quotas, counts]), bounds=(0, 1))
    mask = synthetic.sparse_features(L, counts, quotas, rng(), trades_per_concept=60)
    none = synthetic.sparse_features(L, counts, quotas, rng(), trades_per_concept=0)
    assert L[mask].sum() > 0.97 * -best.fun
    assert L[none].sum() < 0.3 * -best.fun


def test_values_are_dealt_by_score_and_each_once_if_they_suffice_exactly(X):
    L = synthetic.scores(synthetic.linked_factors(X, 5, 0.0, rng()), FEATURES, rng())
    counts = synthetic.power_law_carriers(FEATURES, N, 0.1)
    mask = synthetic.sparse_features(L, counts, synthetic.even_quotas(counts.sum(), N, rng()), rng())
    values = rng().integers(5, 31, mask.sum()).astype(float)
    Y = synthetic.with_values(mask, L, values, rng())
    assert np.array_equal(np.sort(Y[mask]), np.sort(values))
    assert (Y[~mask] == 0).all()
    assert (np.diff(Y[mask][np.argsort(L[mask])]) >= 0).all()
    few = synthetic.with_values(mask, L, np.array([5.0, 9.0]), rng())
    assert set(few[mask]) == {5.0, 9.0}


def test_the_same_seed_gives_the_same_targets(X):
    def make(seed):
        r = rng(seed)
        L = synthetic.scores(synthetic.linked_factors(X, 5, 0.5, r), FEATURES, r)
        counts = synthetic.power_law_carriers(FEATURES, N, 0.1)
        return synthetic.sparse_features(L, counts, synthetic.even_quotas(counts.sum(), N, r), r)

    assert np.array_equal(make(1), make(1))
    assert not np.array_equal(make(1), make(2))


def test_a_mapping_finds_what_was_planted_and_nothing_where_nothing_was(X):
    """The claim itself: held-out scores are at chance for alpha = 0 and grow with alpha."""
    found = {}
    for alpha in (0.0, 0.5, 1.0):
        r = rng(11)
        L = synthetic.scores(synthetic.linked_factors(X, 5, alpha, r, leading=5), FEATURES, r)
        counts = synthetic.power_law_carriers(FEATURES, N, 0.15)
        mask = synthetic.sparse_features(L, counts, synthetic.even_quotas(counts.sum(), N, r), r)
        norms = Planted(mask * 1.0, tuple(f"w{i}" for i in range(N)), ("a", "b") * (N // 2))
        scored = crossvalidate(X, norms, folds=5, seeds=range(2), metrics=["auc-feature"], references=False)
        found[alpha] = scored.sample("original", "auc-feature")[0]
    assert found[0.0] == pytest.approx(0.5, abs=0.05)
    assert found[0.0] + 0.08 < found[0.5] < found[1.0] - 0.03
    assert found[1.0] > 0.75


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: synthetic.linked_factors(X, 5, 1.2, rng()), "alpha 1.2: .* within 0 and 1"),
        (lambda X: synthetic.linked_factors(X, WIDTH + 1, 0.5, rng()), f"rank {WIDTH + 1} is not possible: {WIDTH}"),
        (lambda X: synthetic.linked_factors(X, 8, 0.5, rng(), leading=5), "5 is the most .* 5 leading components"),
        (lambda X: synthetic.linked_factors(X, N, 0.0, rng()), f"{N - 1} is the most"),
        (lambda X: synthetic.linked_factors(X, 0, 0.0, rng()), "rank 0 is not possible"),
        (lambda _: synthetic.power_law_carriers(50, 90, 0.001), "density 0.001 is not possible"),
        (lambda _: synthetic.power_law_carriers(50, 90, 0.9), "0.5 the most"),
        (lambda X: synthetic.dense_ratings(X, 1.0, rng()), "share of variance between features 1"),
        (lambda X: synthetic.with_values(X > 0, X, np.array([0.0]), rng()), "positive numbers"),
        (
            lambda _: synthetic.sparse_features(np.zeros((3, 2)), np.array([3, 3]), np.array([3, 2, 1]), rng()),
            "no matrix has these margins",
        ),
        (
            lambda _: synthetic.sparse_features(np.zeros((3, 2)), np.array([1, 1, 1]), np.array([1, 1, 1]), rng()),
            "one number of carriers per feature",
        ),
    ],
)
def test_what_is_not_possible_is_refused_in_one_line(X, call, message):
    with pytest.raises(InputError, match=message) as caught:
        call(X)
    assert "\n" not in str(caught.value)
