"""Targets that were never norms, with one property of the real ones each."""

from dataclasses import replace

import numpy as np

from interp.controls.problem import Problem, control


@control("random-dense", keeps="the shape of the matrix", destroys="all else")
def random_dense(problem: Problem, rng: np.random.Generator) -> Problem:
    """Y := standard normal."""
    return replace(problem, Y=rng.standard_normal(problem.Y.shape))


@control("random-sparse", keeps="density and the distribution of values", destroys="all else")
def random_sparse(problem: Problem, rng: np.random.Generator) -> Problem:
    """Y := Bernoulli(density) times values drawn from the real ones."""
    real = problem.Y[problem.Y != 0]
    there = rng.random(problem.Y.shape) < len(real) / problem.Y.size
    Y = np.zeros(problem.Y.shape)
    Y[there] = rng.choice(real, size=int(there.sum()))
    return replace(problem, Y=Y)


@control(
    "random-spectrum", keeps="singular values and the geometry of the features", destroys="the link to the concepts"
)
def random_spectrum(problem: Problem, rng: np.random.Generator) -> Problem:
    """Centred Y = U S V'; U replaced by a random orthonormal basis orthogonal to the ones vector, means added back."""
    mean = problem.Y.mean(axis=0)
    U, s, Vt = np.linalg.svd(problem.Y - mean, full_matrices=False)
    rank = min(len(s), len(U) - 1)
    gaussian = rng.standard_normal((len(U), rank))
    basis = np.linalg.qr(gaussian - gaussian.mean(axis=0))[0]
    return replace(problem, Y=(basis * s[:rank]) @ Vt[:rank] + mean)
