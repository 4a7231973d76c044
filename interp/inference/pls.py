"""Partial least squares regression, all numbers of components from one fit.

The algorithm is NIPALS PLS2 with regression deflation, as in scikit-learn's `PLSRegression(scale=False)` and
Wold, Sjöström & Eriksson (2001), rearranged (kernel PLS; Lindgren, Geladi & Wold 1993, de Jong & ter Braak 1994):
with the centred X (n x r) and Y (n x m), the weight of a component is the leading eigenvector of the small matrix
M = X'YY'X, and taking a component out of X changes M by a matrix of rank two. Nothing in the loop depends on the
number of features m. Always in float64: fold by fold on a CPU (`components`), all folds as one batch on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from interp.errors import InputError
from interp.inference.components import EXHAUSTED, components
from interp.inference.lanczos import leading_eigenvector

MOST_COMPONENTS = 100
"""The largest latent size tried unless one asks for another (PROTOCOL 4)."""

SPARSE_BELOW = 0.1
"""Density below which a target matrix is multiplied as a sparse one."""


@dataclass(frozen=True)
class PLSPath:
    """A fitted path of PLS models, with 0, 1, ..., K components; the first k columns are the model with k.

    Sizes beyond what the data hold (rank exhausted) predict like the largest one.
    """

    x_mean: Float[np.ndarray, "width"]
    y_mean: Float[np.ndarray, "feature"]
    rotations: Float[np.ndarray, "width component"]
    """Columns turn centred X into scores: T = (X - mean) R."""
    loadings: Float[np.ndarray, "feature component"]
    """Y loadings: the prediction is T Q' + mean."""

    @property
    def sizes(self) -> np.ndarray:
        """Latent sizes this path can predict with, 0 (the training mean) first."""
        return np.arange(self.rotations.shape[1] + 1)

    def transform(self, X: Float[np.ndarray, "concept width"]) -> Float[np.ndarray, "concept component"]:
        """Scores T of `X` on all components."""
        return (X - self.x_mean) @ self.rotations

    def predict(self, X: Float[np.ndarray, "concept width"], size: int) -> Float[np.ndarray, "concept feature"]:
        """Predictions with `size` components; with 0, the training mean exactly."""
        if not 0 <= size < len(self.sizes):
            raise InputError(f"latent size {size} is outside 0..{len(self.sizes) - 1}, which is what was fitted")
        if size == 0:
            return np.tile(self.y_mean, (len(X), 1))
        return ((X - self.x_mean) @ self.rotations[:, :size]) @ self.loadings[:, :size].T + self.y_mean

    def squared_errors(
        self, X: Float[np.ndarray, "concept width"], Y: Float[np.ndarray, "concept feature"]
    ) -> Float[np.ndarray, "concept size"]:
        """Mean squared error per concept for every latent size, without forming a prediction.

        With t the scores of a concept, y its centred target and Q the loadings, the squared error with k components is
        y'y - 2 sum_j t_j (y'q_j) + sum_jl t_j t_l (q_j'q_l) over j, l <= k: cumulative sums over components.
        """
        T, centred = self.transform(X), Y - self.y_mean
        gram = self.loadings.T @ self.loadings
        cross = T * (centred @ self.loadings)
        square = T**2 * np.diag(gram) + 2 * T * (T @ np.triu(gram, 1))
        gained = np.cumsum(square - 2 * cross, axis=1)
        total = (centred**2).sum(axis=1, keepdims=True)
        return np.hstack([total, total + gained]) / Y.shape[1]


class PLSR(TransformerMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """PLS regression as a scikit-learn estimator that can also predict with every smaller number of components.

    Agrees with scikit-learn's `PLSRegression(scale=False)` where that has converged (see `tests/test_data.py`).

    Parameters
    ----------
    n_components
        How many components to fit; None for as many as the data allow, 100 at most.
    scale
        Divide X and Y by their standard deviations (ddof 1) first.
    device
        Where torch computes (``"cpu"``, ``"cuda"``), always in float64.

    Attributes
    ----------
    path_ : PLSPath
        The fitted models with 0 to `n_components_` components.
    """

    def __init__(self, n_components: int | None = None, scale: bool = False, device: str = "cpu") -> None:
        self.n_components = n_components
        self.scale = scale
        self.device = device

    def fit(self, X: Float[np.ndarray, "concept width"], y: Float[np.ndarray, "concept feature"]) -> PLSR:
        """Fit all components.

        Raises
        ------
        InputError
            If more components are asked for than min(concepts, width) or fewer than 1.
        """
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float64,
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=2,
            force_writeable=True,
        )
        self._flat = y.ndim == 1
        Y = y.reshape(len(y), -1).astype(np.float64)
        fit = fit_scaled if self.scale else fit_folds
        (self.path_,) = fit(X, Y, [np.arange(len(X))], self.n_components, device=self.device)
        self.n_components_ = self.path_.rotations.shape[1]
        return self

    def predict(
        self, X: Float[np.ndarray, "concept width"], n_components: int | None = None
    ) -> Float[np.ndarray, "concept feature"]:
        """Predict with `n_components` (default: all that were fitted)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        predicted = self.path_.predict(X, self.n_components_ if n_components is None else n_components)
        return predicted[:, 0] if self._flat else predicted

    def transform(self, X: Float[np.ndarray, "concept width"]) -> Float[np.ndarray, "concept component"]:
        """Scores of `X` on all components."""
        check_is_fitted(self)
        return self.path_.transform(validate_data(self, X, dtype=np.float64, reset=False))

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components_)


def _scale(A: Float[np.ndarray, "concept column"]) -> Float[np.ndarray, "column"]:
    std = A.std(axis=0, ddof=1)
    return np.where(std == 0, 1.0, std)


def fit_scaled(
    X: Float[np.ndarray, "concept width"],
    Y: Float[np.ndarray, "concept feature"],
    training: Sequence[np.ndarray],
    n_components: int | None = None,
    *,
    device: str = "cpu",
) -> list[PLSPath]:
    """As `fit_folds`, each column of X and Y first divided by its standard deviation over the training rows."""
    paths = []
    for rows in training:
        x_scale = _scale(X[rows])
        scaled = X / x_scale
        y_scale, targets = (x_scale, scaled) if Y is X else (_scale(Y[rows]), Y / _scale(Y[rows]))
        (path,) = fit_folds(scaled, targets, [rows], n_components, device=device)
        paths.append(
            PLSPath(
                path.x_mean * x_scale,
                path.y_mean * y_scale,
                path.rotations / x_scale[:, None],
                path.loadings * y_scale[:, None],
            )
        )
    return paths


def largest_size(n_train: int, width: int) -> int:
    """How many components the data allow: min(training concepts, width of X); centring may leave one less."""
    return min(n_train, width)


def fit_folds(
    X: Float[np.ndarray, "concept width"],
    Y: Float[np.ndarray, "concept feature"],
    training: Sequence[np.ndarray],
    n_components: int | None = None,
    *,
    device: str = "cpu",
) -> list[PLSPath]:
    """One path per training set (arrays of row indices), all fitted together.

    Parameters
    ----------
    X, Y
        All concepts. If `Y` *is* `X` (the `upper-bound` control) the path is a principal component analysis of the
        training rows, and computed as one.
    n_components
        Components per path; None for as many as every training set allows, `MOST_COMPONENTS` at most.

    Raises
    ------
    InputError
        If `n_components` is smaller than 1 or larger than the smallest training set or X's width allow.
    """
    allowed = min(largest_size(len(rows), X.shape[1]) for rows in training)
    if n_components is None:
        n_components = min(allowed, MOST_COMPONENTS)
    if not 1 <= n_components <= allowed:
        raise InputError(
            f"latent size {n_components} is not possible: {allowed} is the most that "
            f"{min(map(len, training))} training concepts and {X.shape[1]} dimensions allow, and 1 the least"
        )
    if Y is X:
        return [_principal_components(Y[rows], n_components) for rows in training]
    # Coordinates of X in an orthonormal basis of its row space: the same model in min(concepts, width) dimensions.
    Z, basis = (X, None) if X.shape[1] <= len(X) else _row_space(X)
    means = [Z[rows].mean(axis=0) for rows in training]
    y_means = [Y[rows].mean(axis=0) for rows in training]
    gram, cross = [], []
    for rows, z_mean in zip(training, means):
        centred = Z[rows] - z_mean
        gram.append(centred.T @ centred)
        C = centred.T @ Y[rows]  # centring Y changes nothing: the columns of `centred` sum to zero
        cross.append(C @ C.T)
    paths = []
    fitted = fold_components(gram, cross, n_components, device)
    for rows, z_mean, y_mean, (R, t2) in zip(training, means, y_means, fitted):
        kept = int((t2 > 0).sum())
        R, t2 = R[:, :kept], t2[:kept]
        loadings = Y[rows].T @ (((Z[rows] - z_mean) @ R) / t2)
        R, loadings = _padded(R, n_components), _padded(loadings, n_components)
        in_x = R if basis is None else basis @ R
        x_mean = z_mean if basis is None else X[rows].mean(axis=0)
        paths.append(PLSPath(x_mean, y_mean, in_x, loadings))
    return paths


def _padded(A: Float[np.ndarray, "row kept"], width: int) -> Float[np.ndarray, "row width"]:
    return np.pad(A, ((0, 0), (0, width - A.shape[1])))


def _row_space(
    X: Float[np.ndarray, "concept width"],
) -> tuple[Float[np.ndarray, "concept rank"], Float[np.ndarray, "width rank"]]:
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    return U * s, Vt.T


def fold_components(
    grams: Sequence[Float[np.ndarray, "r r"]],
    crosses: Sequence[Float[np.ndarray, "r r"]],
    n_components: int,
    device: str,
) -> list[tuple[Float[np.ndarray, "r component"], Float[np.ndarray, "component"]]]:
    """Rotations and squared norms of the scores of each fold: one by one on a CPU, as a batch elsewhere."""
    if device == "cpu":
        return [components(gram, cross, n_components) for gram, cross in zip(grams, crosses)]
    stacks = [torch.as_tensor(np.stack(matrices), device=device) for matrices in (grams, crosses)]
    return list(zip(*_components(stacks[0], stacks[1], n_components)))


def _components(
    gram: Float[Tensor, "fold r r"], cross: Float[Tensor, "fold r r"], n_components: int
) -> tuple[Float[np.ndarray, "fold r component"], Float[np.ndarray, "fold component"]]:
    """Rotations and squared norms of the scores, for a batch of (X'X, X'YY'X).

    With u the weight of a component, p = Gu / u'Gu its X loading (so u'p = 1) and e = p - u, deflating X turns
    M into M - l (uu' - ee'), l the eigenvalue of u; G u for the deflated G is had from the original G and the loadings.
    """
    M = cross.clone()
    folds, r, _ = M.shape
    weights: list[Tensor] = []
    rotations = M.new_zeros(folds, n_components, r)
    loadings = M.new_zeros(folds, n_components, r)
    scores2 = M.new_zeros(folds, n_components)
    first: Tensor | None = None
    alive: Tensor | None = None
    start = M.sum(dim=2) + torch.linspace(1, 2, r, dtype=M.dtype, device=M.device) * M.diagonal(dim1=1, dim2=2)
    steps = 0
    for k in range(n_components):
        negligible: Tensor | None = None if first is None else EXHAUSTED * first
        value, u, start, steps = leading_eigenvector(M, start, negligible=negligible, expected_steps=steps)
        first = value if first is None else first
        now = value > EXHAUSTED * first
        alive = now if alive is None else alive & now
        if not bool(alive.any()):
            break
        done = loadings[:, :k]
        gu = torch.einsum("brs,bs->br", gram, u)
        gu = gu - torch.einsum("bk,bkr->br", scores2[:, :k] * torch.einsum("bkr,br->bk", done, u), done)
        t2 = (gu * u).sum(dim=1)
        alive = alive & (t2 > 0)
        safe = torch.where(alive, t2, torch.ones_like(t2))
        p = gu / safe[:, None]
        # r_k = u_k - sum_j (p_j'u_k) r_j turns weights on deflated X into rotations of X itself.
        rotation = u - torch.einsum("bk,bkr->br", torch.einsum("bkr,br->bk", done, u), rotations[:, :k])
        keep = alive[:, None].to(M.dtype)
        rotations[:, k], loadings[:, k], scores2[:, k] = rotation * keep, p * keep, t2 * alive
        e = p - u
        left = torch.stack([u, e], dim=2)
        right = torch.stack([-u, e], dim=1) * value[:, None, None]
        M.baddbmm_(left, right)
        weights.append(u)
    return rotations.mT.cpu().numpy(), scores2.cpu().numpy()


def _principal_components(Y: Float[np.ndarray, "concept feature"], n_components: int) -> PLSPath:
    """PLS of Y on itself: its principal components, since the weights are eigenvectors and equal the loadings."""
    mean = Y.mean(axis=0)
    n, m = Y.shape
    values, vectors = _leading_eigenpairs(Y, mean, n_components)
    kept = values > EXHAUSTED * max(values[0], np.finfo(float).tiny)
    values, vectors = values[kept], vectors[:, kept]
    # Eigenvectors of the smaller Gram matrix; from those of Y Y' to the axes in feature space by one product.
    axes = vectors if n >= m else (Y - mean).T @ (vectors / np.sqrt(values))
    axes = _padded(axes, n_components)
    return PLSPath(mean, mean, axes, axes)


def _leading_eigenpairs(
    Y: Float[np.ndarray, "concept feature"], mean: Float[np.ndarray, "feature"], count: int
) -> tuple[Float[np.ndarray, "count"], Float[np.ndarray, "smaller count"]]:
    """Largest eigenvalues and vectors, descending, of the smaller Gram matrix of Y less `mean`."""
    from scipy.linalg import eigh
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator, eigsh

    n, m = Y.shape
    size = min(n, m)
    if count < size // 8 and (Y != 0).mean() < SPARSE_BELOW:
        # Large and sparse: products with Y are cheap, its Gram matrix is not.
        left = csr_array(Y)
        right = left.T.tocsr()
        ones = np.ones(n)

        def rows(v: np.ndarray) -> np.ndarray:
            return left @ v - ones * (mean @ v)

        def columns(u: np.ndarray) -> np.ndarray:
            return right @ u - mean * (ones @ u)

        product = (lambda u: rows(columns(u))) if n < m else (lambda v: columns(rows(v)))
        start = np.linspace(1, 2, size)  # fixed, so that the same data give the same bits
        values, vectors = eigsh(LinearOperator((size, size), matvec=product, dtype=float), k=count, v0=start, tol=1e-12)
        order = np.argsort(values)[::-1]
        return values[order], vectors[:, order]
    centred = Y - mean
    small = centred @ centred.T if n < m else centred.T @ centred
    values, vectors = eigh(small, subset_by_index=[size - count, size - 1], driver="evr")
    return values[::-1], vectors[:, ::-1]
