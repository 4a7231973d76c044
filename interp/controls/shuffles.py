"""What "shuffled features" can mean: the paper does not say, and the readings differ in what they destroy."""

from dataclasses import replace

import numpy as np

from interp.controls.problem import Problem, control


@control("shuffle-columns", keeps="everything but the names of the features", destroys="nothing a score can see")
def shuffle_columns(problem: Problem, rng: np.random.Generator) -> Problem:
    """Columns of Y permuted: exactly neutral, a check of the pipeline."""
    order = rng.permutation(problem.Y.shape[1])
    kinds = None if problem.kinds is None else tuple(problem.kinds[j] for j in order)
    return replace(problem, Y=problem.Y[:, order], kinds=kinds)


@control(
    "shuffle-rows",
    keeps="sparsity, spectrum and co-occurrence of the features",
    destroys="which concept has which features",
)
def shuffle_rows(problem: Problem, rng: np.random.Generator) -> Problem:
    """Rows of Y permuted: every concept gets the features of another."""
    return replace(problem, Y=problem.Y[rng.permutation(len(problem.Y))])


@control(
    "shuffle-within-rows",
    keeps="how many features a concept has",
    destroys="how common a feature is, and which features go together",
)
def shuffle_within_rows(problem: Problem, rng: np.random.Generator) -> Problem:
    """Each row of Y permuted on its own."""
    return replace(problem, Y=rng.permuted(problem.Y, axis=1))
