"""What "shuffled features" can mean: the paper does not say, and the readings differ in what they destroy."""

from dataclasses import replace

import numpy as np

from interp.controls.problem import NotApplicable, Problem, control

TRADES_PER_ROW = 5
"""Curveball trades, as a multiple of the number of rows (Strona et al. 2014 find 5 enough)."""


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


@control("shuffle-both", keeps="everything", destroys="nothing (a check of the pipeline)")
def shuffle_both(problem: Problem, rng: np.random.Generator) -> Problem:
    """Concepts in another order: rows of X and Y, lemmas and categories permuted alike."""
    order = rng.permutation(len(problem.Y))

    def turned(values: tuple) -> tuple:
        return tuple(values[i] for i in order)

    return replace(
        problem,
        X=problem.X[order],
        Y=problem.Y[order],
        lemmas=turned(problem.lemmas),
        taxonomy=turned(problem.taxonomy),
        pieces=None if problem.pieces is None else turned(problem.pieces),
    )


@control(
    "shuffle-within-columns",
    keeps="how common each feature is",
    destroys="which features go together, and how many a concept has",
)
def shuffle_within_columns(problem: Problem, rng: np.random.Generator) -> Problem:
    """Each column of Y permuted on its own."""
    return replace(problem, Y=rng.permuted(problem.Y, axis=0))


@control(
    "shuffle-swap",
    keeps="how common each feature is and how many a concept has, exactly",
    destroys="which features go together, and which concept has which",
)
def shuffle_swap(problem: Problem, rng: np.random.Generator) -> Problem:
    """Curveball trades on the 0/1 matrix (Strona et al. 2014); each row deals its own values to its new features."""
    if problem.dense:
        raise NotApplicable(
            "shuffle-swap trades features between concepts, and here every concept has nearly all of them"
        )
    rows = [set(np.flatnonzero(row).tolist()) for row in problem.Y]
    n = len(rows)
    for i, j in rng.integers(n, size=(TRADES_PER_ROW * n, 2)):
        if i == j:
            continue
        mine, theirs = sorted(rows[i] - rows[j]), sorted(rows[j] - rows[i])
        pool = np.array(mine + theirs)
        rng.shuffle(pool)
        shared = rows[i] & rows[j]
        rows[i], rows[j] = shared | set(pool[: len(mine)].tolist()), shared | set(pool[len(mine) :].tolist())
    Y = np.zeros_like(problem.Y)
    for i, features in enumerate(rows):
        values = problem.Y[i][problem.Y[i] != 0]
        Y[i, sorted(features)] = rng.permutation(values)
    return replace(problem, Y=Y)
