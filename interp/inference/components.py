"""PLS components of one problem on a CPU: the recurrence of `pls`, matrix by matrix, so that it runs in the cache.

Nearly all the time of a fit goes into products of the deflated X'YY'X with a vector, and those are as fast as the
matrix comes from memory. A batch of folds is larger than a processor's cache (ten folds of width 384: 12 MB); one
matrix, of which BLAS reads a triangle, is not. Some three times faster than the batch on a CPU; a GPU prefers a batch.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.linalg.blas import daxpy, ddot, dnrm2, dsymv, dsyr2
from scipy.linalg.lapack import dstebz, dstein

from interp.inference.lanczos import MOST_STEPS, TOLERANCE

EXHAUSTED = 1e-12
"""A component whose covariance with Y has fallen to this share of the first one's carries rounding error only."""

FIRST_LOOK = 8
"""Lanczos steps before convergence is first looked at."""

STEPS_PER_DECADE = 2.5
"""How many more steps are thought to gain a factor of ten; only sets when convergence is looked at again."""

TINY = float(np.finfo(float).tiny)


def components(
    gram: Float[np.ndarray, "r r"], cross: Float[np.ndarray, "r r"], n_components: int
) -> tuple[Float[np.ndarray, "r component"], Float[np.ndarray, "component"]]:
    """Rotations and squared norms of the scores from (X'X, X'YY'X); see `pls` for the algebra.

    Components beyond what the data hold are zero in both.
    """
    r = len(gram)
    gram, M = np.asfortranarray(gram), np.array(cross, order="F")
    rotations, loadings, scores2 = np.zeros((n_components, r)), np.zeros((n_components, r)), np.zeros(n_components)
    start = M.sum(axis=1) + np.linspace(1, 2, r) * M.diagonal()
    steps, floor = 0, TINY
    basis = np.empty((MOST_STEPS, r))  # room that every component uses again
    for k in range(n_components):
        value, u, start, steps = leading_eigenvector(M, start, basis, floor=floor, expected_steps=steps)
        if k == 0:
            floor = max(EXHAUSTED * value, TINY)
        if value <= floor:
            break
        along = loadings[:k] @ u
        gu = dsymv(1.0, gram, u) - (scores2[:k] * along) @ loadings[:k]
        t2 = ddot(gu, u)
        if t2 <= 0:
            break
        p = gu / t2
        rotations[k], loadings[k], scores2[k] = u - along @ rotations[:k], p, t2
        # M - l uu' + l ee' with e = p - u, so that e + u = p
        M = dsyr2(value / 2, p - 2 * u, p, a=M, overwrite_a=True)
    return rotations.T, scores2


def leading_eigenvector(
    M: Float[np.ndarray, "r r"],
    start: Float[np.ndarray, "r"],
    basis: Float[np.ndarray, "step r"],
    *,
    floor: float = TINY,
    expected_steps: int = 0,
) -> tuple[float, Float[np.ndarray, "r"], Float[np.ndarray, "r"], int]:
    """Largest eigenvalue and unit vector of a symmetric positive semidefinite matrix; as `lanczos`, for one matrix.

    Parameters
    ----------
    M
        In Fortran order; only the upper triangle is read.
    basis
        Room for the Lanczos vectors, which this overwrites; its length is the most steps taken.
    floor
        A residual this small counts as converged whatever the eigenvalue.

    Returns
    -------
    value, vector, second, steps
        `second` is the Ritz vector of the second largest eigenvalue.
    """
    r = len(M)
    most = len(basis)
    diagonal, off = np.empty(most), np.empty(most)
    length = dnrm2(start)
    basis[0] = start / length if length > TINY else r**-0.5
    previous, v, beta = np.zeros(r), basis[0], 0.0
    steps, look = 0, max(FIRST_LOOK, expected_steps - 4)
    while True:
        w = dsymv(1.0, M, v, beta=-beta, y=previous)
        diagonal[steps] = alpha = ddot(w, v)
        w = daxpy(v, w, a=-alpha)
        beta = dnrm2(w)
        steps += 1
        if steps >= look or beta <= TINY:
            values, ritz = _largest_two(diagonal[:steps], off[: steps - 1])
            residual, goal = beta * abs(ritz[-1, -1]), max(TOLERANCE * values[-1], floor)
            if residual <= goal or steps == most:
                break
            look = min(steps + max(1, round(STEPS_PER_DECADE * math.log10(residual / goal))), most)
        off[steps - 1] = beta
        previous, v = v, np.multiply(w, 1 / beta, out=basis[steps])
    second, vector = (ritz.T @ basis[:steps])[[0, -1]]
    return max(float(values[-1]), 0.0), vector / max(dnrm2(vector), TINY), second, steps


def _largest_two(
    diagonal: Float[np.ndarray, "step"], off: Float[np.ndarray, "gap"]
) -> tuple[Float[np.ndarray, "pair"], Float[np.ndarray, "step pair"]]:
    """The two largest eigenvalues, ascending, of a tridiagonal matrix, and their vectors; one where it has one row."""
    steps = len(diagonal)
    if steps == 1:
        return diagonal, np.ones((1, 1))
    by_index = 2
    _, values, block, split, _ = dstebz(diagonal, off, by_index, 0.0, 0.0, steps - 1, steps, 0.0, "B")
    vectors, _ = dstein(diagonal, off, values[:2], block, split)
    if values[0] > values[1]:  # where the matrix falls apart they come block by block
        return values[1::-1], vectors[:, ::-1]
    return values[:2], vectors
