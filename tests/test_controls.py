"""Each control against its definition: what it keeps is kept exactly, what it destroys is gone."""

import numpy as np
import pytest

from interp.controls import CONTROLS, Problem
from interp.seeding import generator
from tests.planted import planted


@pytest.fixture
def problem():
    X, norms = planted()
    return Problem(X, norms.values, (*norms.lemmas[:-1], norms.lemmas[0]), norms.taxonomy, norms.kinds)


def build(name, problem, seed=0):
    return CONTROLS[name].build(problem, generator(seed, name))


def sorted_rows(Y):
    return Y[np.lexsort(Y.T)]


@pytest.mark.parametrize("name", list(CONTROLS))
def test_says_what_it_keeps_and_destroys_and_is_seeded(name, problem):
    control = CONTROLS[name]
    assert control.keeps
    assert control.destroys
    assert control.build.__doc__
    first, again, other = (build(name, problem, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.X, again.X)
    assert np.array_equal(first.Y, again.Y)
    assert first.lemmas == problem.lemmas
    if (first.X is not problem.X and first.X is not problem.Y) or first.Y is not problem.Y:
        assert not (np.array_equal(first.X, other.X) and np.array_equal(first.Y, other.Y))


@pytest.mark.parametrize("name", list(CONTROLS))
def test_controls_that_keep_the_targets_do(name, problem):
    assert (build(name, problem).Y is problem.Y) == CONTROLS[name].keeps_targets


def test_upper_bound_maps_the_norms_to_themselves(problem):
    assert build("upper-bound", problem).X is problem.Y


def test_noise_has_the_width_of_the_embedding_and_one_vector_a_word(problem):
    X = build("noise", problem).X
    assert X.shape == problem.X.shape
    assert np.array_equal(X[0], X[-1])
    assert abs(X.mean()) < 0.1
    assert X.std() == pytest.approx(1, abs=0.1)


def test_shuffle_rows_permutes_concepts(problem):
    Y = build("shuffle-rows", problem).Y
    assert np.array_equal(sorted_rows(Y), sorted_rows(problem.Y))
    assert not np.array_equal(Y, problem.Y)


def test_shuffle_columns_permutes_names_and_their_kinds(problem):
    altered = build("shuffle-columns", problem)
    assert np.array_equal(sorted_rows(altered.Y.T), sorted_rows(problem.Y.T))
    taxonomic = np.array(problem.kinds) == "taxonomic"
    assert np.array_equal(
        sorted_rows(altered.Y[:, np.array(altered.kinds) == "taxonomic"].T),
        sorted_rows(problem.Y[:, taxonomic].T),
    )


def test_shuffle_within_rows_keeps_each_concepts_values(problem):
    Y = build("shuffle-within-rows", problem).Y
    assert np.array_equal(np.sort(Y, axis=1), np.sort(problem.Y, axis=1))
    assert not np.array_equal((Y > 0).sum(axis=0), (problem.Y > 0).sum(axis=0))
