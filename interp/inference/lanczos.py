"""The leading eigenvector of a batch of symmetric matrices: one Lanczos recurrence for all of them."""

import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = 1e-8
"""Residual over eigenvalue at which a vector counts as found; PLS predictions then agree to 1e-8 or better."""

MOST_STEPS = 400


def leading_eigenvector(
    M: Float[Tensor, "batch r r"],
    start: Float[Tensor, "batch r"],
    *,
    tolerance: float = TOLERANCE,
    negligible: Float[Tensor, "batch"] | None = None,
    expected_steps: int = 0,
) -> tuple[Float[Tensor, "batch"], Float[Tensor, "batch r"], Float[Tensor, "batch r"], int]:
    """Largest eigenvalue and its unit vector for each symmetric positive semidefinite matrix.

    Plain Lanczos (Golub & Van Loan 2013, section 10.1) without reorthogonalisation: lost orthogonality brings copies
    of eigenvalues that are found already, which does not matter to the largest. A whole batch stops together.

    Parameters
    ----------
    start
        Where to begin; a vector near the answer saves steps.
    negligible
        Residuals this small count as converged whatever the eigenvalue: what is left of an exhausted matrix is
        rounding error, and nothing can be found in it.
    expected_steps
        How many steps the last, similar problem took; convergence is not looked at much earlier.

    Returns
    -------
    values, vectors, seconds, steps
        `seconds` are the Ritz vectors of the second largest eigenvalue: good starts for a deflated matrix.
    """
    batch, r, _ = M.shape
    tiny = torch.finfo(M.dtype).tiny
    floor = torch.full_like(M[:, 0, 0], tiny) if negligible is None else negligible.clamp_min(tiny)
    v = start / start.norm(dim=1, keepdim=True).clamp_min(tiny)
    blank = v.norm(dim=1) < 0.5  # a zero start, for example of a zero matrix
    v = torch.where(blank[:, None], torch.full_like(v, r**-0.5), v)
    basis, diagonal = [v], []
    off: list[Tensor] = []
    previous, beta = torch.zeros_like(v), torch.zeros(batch, 1, dtype=M.dtype, device=M.device)
    next_look = max(8, expected_steps - 6)
    while True:
        w = torch.bmm(v[:, None], M)[:, 0]  # row vector times matrix: the layout that is fastest on CPU
        alpha = (w * v).sum(dim=1, keepdim=True)
        w = w - alpha * v - beta * previous
        beta = w.norm(dim=1, keepdim=True)
        diagonal.append(alpha)
        steps = len(diagonal)
        if steps >= min(next_look, MOST_STEPS):
            values, ritz = _ritz(torch.cat(diagonal, dim=1), torch.cat(off, dim=1) if off else None)
            residual = beta[:, 0] * ritz[:, -1, -1].abs()
            if steps >= MOST_STEPS or bool((residual <= (tolerance * values[:, -1]).clamp_min(floor)).all()):
                break
            next_look = steps + 5
        off.append(beta)
        previous, v = v, w / beta.clamp_min(tiny)
        basis.append(v)
    top = ritz[:, :, -2:] if steps > 1 else ritz[:, :, [-1, -1]]
    pair = torch.einsum("bsk,sbr->kbr", top, torch.stack(basis))
    vectors = pair[1] / pair[1].norm(dim=1, keepdim=True).clamp_min(tiny)
    return values[:, -1].clamp_min(0), vectors, pair[0], steps


def _ritz(
    diagonal: Float[Tensor, "batch step"], off: Float[Tensor, "batch gap"] | None
) -> tuple[Float[Tensor, "batch step"], Float[Tensor, "batch step step"]]:
    T = torch.diag_embed(diagonal)
    if off is not None:
        T = T + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    values, vectors = torch.linalg.eigh(T)
    return values, vectors
