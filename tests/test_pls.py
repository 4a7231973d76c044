"""PLSR against scikit-learn, against PCA, and against predictions formed one size at a time."""

import warnings

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import estimator_checks_generator

from interp.errors import InputError
from interp.inference import PLSR
from interp.inference.pls import fit_folds, fit_scaled

# All of scikit-learn's checks but the one that needs an experimental mode of scipy.
ESTIMATOR_CHECKS = [c for _, c in estimator_checks_generator(PLSR()) if c.func.__name__ != "check_array_api_input"]


def problem(n=80, width=24, features=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, width)) * np.linspace(2, 0.1, width)
    Y = X[:, :6] @ rng.standard_normal((6, features)) + rng.standard_normal((n, features)) + 3
    return X, Y


def reference(X, Y, k, *, scale=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return PLSRegression(k, scale=scale, tol=1e-14, max_iter=5000).fit(X, Y)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("shape", [(80, 24, 40), (30, 60, 10), (50, 20, 1)], ids=["tall", "wide", "one target"])
def test_equals_scikit_learn_at_every_size(shape, scale):
    X, Y = problem(*shape)
    new = problem(*shape, seed=1)[0]
    fitted = PLSR(n_components=12, scale=scale).fit(X, Y)
    for k in (1, 2, 5, 12):
        theirs = reference(X, Y, k, scale=scale).predict(new)
        assert np.abs(fitted.predict(new, k) - theirs.reshape(len(new), -1)).max() < 1e-6 * np.abs(theirs).max()


def test_zero_components_is_the_training_mean():
    X, Y = problem()
    assert np.array_equal(PLSR().fit(X, Y).predict(X, 0), np.tile(Y.mean(axis=0), (len(X), 1)))


def test_the_upper_bound_is_a_principal_component_analysis():
    _, Y = problem(50, 10, 30)
    path = fit_folds(Y, Y, [np.arange(50)], 8)[0]
    general = fit_folds(Y.copy(), Y, [np.arange(50)], 8)[0]
    for k in (1, 4, 8):
        pca = PCA(k).fit(Y)
        assert np.allclose(path.predict(Y, k), pca.inverse_transform(pca.transform(Y)))
        assert np.allclose(path.predict(Y, k), general.predict(Y, k), atol=1e-6)


def test_principal_components_of_a_large_sparse_matrix_are_the_same():
    rng = np.random.default_rng(0)
    Y = rng.integers(1, 30, (300, 400)) * (rng.random((300, 400)) < 0.03)
    Y = Y[:, Y.any(axis=0)].astype(float)
    path = fit_folds(Y, Y, [np.arange(300)], 20)[0]
    for k in (1, 7, 20):
        pca = PCA(k, svd_solver="full").fit(Y)
        assert np.allclose(path.predict(Y, k), pca.inverse_transform(pca.transform(Y)), atol=1e-8)


def test_squared_errors_equal_those_of_the_predictions():
    X, Y = problem()
    path = PLSR(n_components=10).fit(X[:50], Y[:50]).path_
    slow = np.stack([((path.predict(X[50:], k) - Y[50:]) ** 2).mean(axis=1) for k in range(11)], axis=1)
    assert np.allclose(path.squared_errors(X[50:], Y[50:]), slow)


def test_folds_together_equal_folds_one_by_one():
    X, Y = problem()
    training = [np.arange(60), np.arange(20, 80), np.arange(10, 65)]
    together = fit_folds(X, Y, training, 9)
    for rows, path in zip(training, together, strict=True):
        alone = fit_folds(X, Y, [rows], 9)[0]
        assert np.allclose(path.predict(X, 9), alone.predict(X, 9), atol=1e-7)
        assert np.allclose(path.predict(X, 9), reference(X[rows], Y[rows], 9).predict(X), atol=1e-6)


def test_scaled_folds_are_scaled_by_their_own_training_rows():
    X, Y = problem()
    training = [np.arange(60), np.arange(20, 80)]
    for rows, path in zip(training, fit_scaled(X, Y, training, 6), strict=True):
        theirs = reference(X[rows], Y[rows], 6, scale=True).predict(X)
        assert np.abs(path.predict(X, 6) - theirs).max() < 1e-6 * np.abs(theirs).max()


def test_exhausted_rank_predicts_like_the_last_component_there_is():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 12))
    Y = X @ rng.standard_normal((12, 5))
    path = fit_folds(X, Y, [np.arange(40)], 10)[0]
    assert np.isfinite(path.predict(X, 10)).all()
    assert np.allclose(path.predict(X, 10), Y)
    assert np.allclose(path.predict(X, 10), path.predict(X, 4))


@pytest.mark.parametrize("constant", ["X", "Y"])
def test_constant_columns_predict_the_mean(constant):
    X, Y = problem()
    X, Y = (np.ones_like(X), Y) if constant == "X" else (X, np.ones_like(Y))
    assert np.allclose(fit_folds(X, Y, [np.arange(len(X))], 5)[0].predict(X, 5), Y.mean(axis=0))


@pytest.mark.parametrize("size", [0, -1, 25, 1000])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(InputError, match="latent size"):
        PLSR(n_components=size).fit(*problem())


def test_a_size_that_was_not_fitted_is_refused():
    X, Y = problem()
    with pytest.raises(InputError, match=r"outside 0\.\.5"):
        PLSR(n_components=5).fit(X, Y).predict(X, 6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", ESTIMATOR_CHECKS, ids=lambda c: c.func.__name__)
def test_is_a_scikit_learn_estimator(check):
    check(PLSR())
