"""The permutation null of a cross-validated score: what it is when concepts are dealt the rows of other concepts.

Permutation 0 is the order as it is, so its score is the observed one; 1 to n are random. Each is scored exactly as
`crossvalidate` scores the control of that name, with the embeddings, the folds and the training Gram matrices shared:
permuting rows of Y changes nothing else. The p-value is (b + 1) / (n + 1), b the permutations that score at least as
well (Phipson & Smyth 2010).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from tqdm import tqdm

from interp.controls import CONTROLS, Problem
from interp.errors import InputError
from interp.inference import featurewise, pls
from interp.inference.crossvalidation import Norms
from interp.inference.folds import Split, grouped_folds
from interp.inference.latent import choose
from interp.inference.metrics import (
    FAMILIES,
    FEATUREWISE,
    METRICS,
    RETRIEVAL_LIKE,
    Prediction,
    Truth,
)
from interp.multiplicity import holm
from interp.seeding import generator

DEFAULT_METRICS = ("f1@10", "map@k", "auc-feature", "r2", "nn@10")

LARGEST = 50
"""Largest latent size under permutation; the size chosen for permuted rows is nearly always below ten."""

SAME = 1e-12
"""Statistics nearer than this are ties, and count against the observed one."""

ROW_PERMUTATIONS = ("shuffle-rows", "taxonomy-within")
"""Controls that are nothing but an order of the rows of Y, so that they can be a null."""


@dataclass(frozen=True)
class PermutationNull:
    """Observed statistics and what they are under permutation.

    Attributes
    ----------
    values
        One row = (permutation, metric): `value`. Permutation 0 is the observed order.
    latent
        One row = (permutation, fold): `latent`, the size chosen.
    """

    values: pd.DataFrame
    latent: pd.DataFrame

    @cached_property
    def _wide(self) -> pd.DataFrame:
        """Permutation x metric, the metrics in the order in which they were asked for."""
        return self.values.pivot_table(index="permutation", columns="metric", values="value", sort=False, dropna=False)

    @property
    def metrics(self) -> list[str]:
        """Metrics that were scored."""
        return list(self._wide.columns)

    def observed(self, metric: str) -> float:
        """The statistic of the real order."""
        return float(self._wide.loc[0, metric])

    def null(self, metric: str) -> Float[np.ndarray, "permutation"]:
        """The statistic under each random permutation."""
        return self._wide.drop(index=0)[metric].to_numpy()

    def p_value(self, metric: str) -> tuple[int, float]:
        """How many permutations score at least as well, b, and (b + 1) / (n + 1); NaN where the metric is undefined."""
        sign = 1 if METRICS[metric].higher_is_better else -1
        observed, null = self.observed(metric), self.null(metric)
        if np.isnan(observed):
            return 0, float("nan")
        as_good = int((sign * null >= sign * observed - SAME).sum())
        return as_good, (as_good + 1) / (len(null) + 1)

    def table(self) -> pd.DataFrame:
        """One row a metric: observed, null mean, sd and 95 % range, b, n, p, and p after Holm over the metrics."""
        rows = []
        for metric in self.metrics:
            null = self.null(metric)
            as_good, p = self.p_value(metric)
            low, high = np.quantile(null, [0.025, 0.975])
            spread = float(null.std(ddof=1)) if len(null) > 1 else float("nan")
            rows.append((metric, self.observed(metric), float(null.mean()), spread, low, high, as_good, len(null), p))
        columns = [
            "metric",
            "observed",
            "null_mean",
            "null_sd",
            "null_low",
            "null_high",
            "as_good",
            "permutations",
            "p",
        ]
        table = pd.DataFrame(rows, columns=columns)
        return table.assign(p_holm=holm(table["p"].to_numpy()))

    def chosen(self) -> pd.Series:
        """How often each latent size was chosen under permutation, as a share of all folds."""
        return self.latent.query("permutation > 0")["latent"].value_counts(normalize=True).sort_index()

    @classmethod
    def concatenated(cls, parts: Iterable[PermutationNull]) -> PermutationNull:
        """Several ranges of permutations as one."""
        parts = list(parts)
        return cls(
            pd.concat([part.values for part in parts], ignore_index=True),
            pd.concat([part.latent for part in parts], ignore_index=True),
        )


def row_order(problem: Problem, control: str, seed: int, permutation: int) -> Int[np.ndarray, "concept"]:
    """Whose row each concept gets: that of `control` itself, told to permute row numbers; 0 is the order as it is.

    Depends on seed and number alone, so that permutations can be computed in any order and in any blocks.
    """
    numbers = np.arange(len(problem.Y), dtype=float)[:, None]
    if permutation == 0:
        return numbers[:, 0].astype(int)
    rng = generator(seed, "permutation", control, str(permutation))
    return CONTROLS[control].build(replace(problem, Y=numbers), rng).Y[:, 0].astype(int)


def permutation_null(
    X: Float[np.ndarray, "concept width"],
    norms: Norms,
    permutations: Iterable[int],
    *,
    control: str = "shuffle-rows",
    metrics: Sequence[str] = DEFAULT_METRICS,
    folds: int = 10,
    seed: int = 0,
    largest: int = LARGEST,
    device: str = "cpu",
    total: int | None = None,
) -> PermutationNull:
    """PLS scores, with the latent size at the smallest validation MSE, under the row permutations of these numbers.

    Parameters
    ----------
    X
        One embedding per concept.
    norms
        Targets, with lemmas (concepts that share one stay in one fold) and taxonomy.
    permutations
        Their numbers: 0 the observed order, 1, 2, ... random ones.
    control
        One of `ROW_PERMUTATIONS`.
    metrics
        Names in `METRICS`.
    folds, seed
        Grouped folds (PROTOCOL 4), the same for every permutation; `seed` also draws the permutations.
    largest
        The largest latent size; fewer where the data allow fewer.
    device
        Where the components are computed: ``"cpu"`` or torch's name of a GPU. Everything is float64.
    total
        What the progress bar counts to, where `permutations` is a part.

    Raises
    ------
    InputError
        For unknown names, a control that is no row permutation, and what `crossvalidate` refuses.
    """
    numbers = list(permutations)
    for metric in metrics:
        METRICS[metric]
    if control not in ROW_PERMUTATIONS:
        CONTROLS[control]
        raise InputError(f"{control} is no permutation of rows: the null is one of {', '.join(ROW_PERMUTATIONS)}")
    problem = _problem(X, norms)
    splits = grouped_folds(problem.lemmas, folds, seed)
    fits = PermutedFits(problem.X, problem.Y, splits, largest, device)
    truth = Truth(problem.Y, problem.taxonomy)
    values, latent = [], []
    first = min(numbers, default=0)
    with tqdm(total=total or len(numbers), initial=first if total else 0, desc=f"null, {control}", unit="perm") as bar:
        for number in numbers:
            order = row_order(problem, control, seed, number)
            predictions, sizes = fits.predictions(order)
            # Concept i is scored as if it were concept order[i], whose row it has: one `truth` serves all permutations.
            truth.taxonomy = np.empty_like(truth.taxonomy)
            truth.taxonomy[order] = problem.taxonomy
            found = estimates(truth, predictions, metrics)
            values += [(number, metric, found[metric]) for metric in metrics]
            latent += [(number, fold, size) for fold, size in enumerate(sizes)]
            bar.update()
    return PermutationNull(
        pd.DataFrame(values, columns=["permutation", "metric", "value"]),
        pd.DataFrame(latent, columns=["permutation", "fold", "latent"]),
    )


def _problem(X: np.ndarray, norms: Norms) -> Problem:
    X, Y = np.asarray(X, dtype=float), np.asarray(norms.values, dtype=float)
    if X.ndim != 2 or len(X) != len(Y):
        raise InputError(f"embeddings are {X.shape}, but there are {len(Y)} concepts: one row per concept, please")
    if not (np.isfinite(X).all() and np.isfinite(Y).all()):
        raise InputError("embeddings and norms must be finite numbers; crossvalidate says where they are not")
    return Problem(X, Y, norms.lemmas, norms.taxonomy)


def estimates(truth: Truth, predictions: Sequence[Prediction], metrics: Sequence[str]) -> dict[str, float]:
    """Each metric pooled over the folds, as `crossvalidate` pools it; NaN where it is n/a for these targets."""
    found = dict.fromkeys(metrics, float("nan"))
    wanted = [m for m in metrics if truth.retrievable or METRICS[m].family not in RETRIEVAL_LIKE]
    families = {METRICS[m].family for m in wanted} & FAMILIES.keys()
    tallies = [
        {name: tally for family in families for name, tally in FAMILIES[family](truth, prediction).items()}
        for prediction in predictions
    ]
    for metric in wanted:
        if metric in FEATUREWISE:
            featured = [(p.rows, FEATUREWISE[metric](truth, p)) for p in predictions]
            numerator, weight = featurewise.combine(featured, len(truth.Y))
        else:
            numerator = np.concatenate([tally[metric].numerator for tally in tallies])
            weight = np.concatenate([tally[metric].weight for tally in tallies])
        if weight.sum() > 0:
            found[metric] = float(numerator.sum() / weight.sum())
    return found


class PermutedFits:
    """PLS paths of all folds for any order of the rows of Y; what no permutation changes is computed once.

    M = X'YY'X of a fold's centred training rows is all that a path needs (see `pls`). Where there are many features, it
    comes from K = YY' (concepts x concepts, of which a permutation is a reordering): X'KX over all concepts, once a
    permutation, less the terms of the rows a fold leaves out. Where there are few, from X'Y.
    """

    def __init__(
        self,
        X: Float[np.ndarray, "concept width"],
        Y: Float[np.ndarray, "concept feature"],
        splits: Sequence[Split],
        largest: int,
        device: str = "cpu",
    ) -> None:
        allowed = min(pls.largest_size(len(split.train), X.shape[1]) for split in splits)
        if largest < 1:
            raise InputError(f"latent size {largest} is not possible: 1 is the least")
        self.size, self.device, self.splits = min(largest, allowed), device, splits
        self.X = X
        self.Y = csr_array(Y) if (Y != 0).mean() < pls.SPARSE_BELOW else Y
        # Centred once for all, so that little is lost when a fold is centred on its own mean.
        centred = X - X.mean(axis=0)
        self.Z: np.ndarray = centred
        self.basis: np.ndarray | None = None
        if X.shape[1] > len(X):
            self.Z, self.basis = pls._row_space(centred)
        n, r = self.Z.shape
        left_out = n - min(len(split.train) for split in splits)
        by_gram = 2 * n * r * (n + r) / len(splits) + 2 * left_out * r * (left_out + r)
        self.K = _dense(self.Y @ self.Y.T) if by_gram < r * r * Y.shape[1] else None
        self.means = [self.Z[split.train].mean(axis=0) for split in splits]
        self.grams = []
        for split, mean in zip(splits, self.means):
            fold = self.Z[split.train] - mean
            self.grams.append(fold.T @ fold)

    def predictions(self, order: Int[np.ndarray, "concept"]) -> tuple[list[Prediction], list[int]]:
        """Predictions for the test concepts of every fold at the size of the smallest validation MSE, and the sizes.

        Their `rows` are the rows of Y that the test concepts were dealt.
        """
        Y = self.Y[order]
        predictions, sizes = [], []
        for split, path in zip(self.splits, self.paths(order, Y)):
            errors = path.squared_errors(self.X[split.validation], _dense(Y[split.validation]))
            size = choose("argmin", path.sizes, errors)
            predictions.append(Prediction(order[split.test], path.predict(self.X[split.test], size), path.y_mean))
            sizes.append(size)
        return predictions, sizes

    def paths(
        self, order: Int[np.ndarray, "concept"], Y: Float[np.ndarray, "concept feature"] | csr_array
    ) -> list[pls.PLSPath]:
        """One path per fold for Y, which is the real one with its rows in this order."""
        crosses = self._crosses(order, Y)
        fitted = pls.fold_components(self.grams, crosses, self.size, self.device)
        paths = []
        for split, mean, (R, t2) in zip(self.splits, self.means, fitted):
            scores = (self.Z[split.train] - mean) @ R
            np.divide(scores, t2, out=scores, where=t2 > 0)
            mine = Y[split.train]
            # Row by row, as np.mean adds: the training mean has the same bits, and its ties stay ties.
            y_mean = (
                mine.mean(axis=0) if isinstance(mine, np.ndarray) else mine.T @ np.ones(mine.shape[0]) / mine.shape[0]
            )
            in_x = R if self.basis is None else self.basis @ R
            paths.append(pls.PLSPath(self.X[split.train].mean(axis=0), y_mean, in_x, mine.T @ scores))
        return paths

    def _crosses(
        self, order: Int[np.ndarray, "concept"], Y: Float[np.ndarray, "concept feature"] | csr_array
    ) -> list[Float[np.ndarray, "r r"]]:
        """M = Z'YY'Z of every fold's training rows, Z centred on them."""
        if self.K is None:
            return [
                (C := (Y[split.train].T @ (self.Z[split.train] - mean))).T @ C
                for split, mean in zip(self.splits, self.means)
            ]
        K = self.K[np.ix_(order, order)]
        KZ = K @ self.Z
        everything, sums = self.Z.T @ KZ, K.sum(axis=1)
        crosses = []
        for split, mean in zip(self.splits, self.means):
            out = np.concatenate([split.validation, split.test])
            # With Z = all - out: Z'KZ = all'K all - H'out - out'H, where H = K all - K out / 2 on the rows left out.
            H = KZ[out] - K[np.ix_(out, out)] @ self.Z[out] / 2
            # Centring takes 1 m' from Z: a = Z'K1 and b = 1'K1 over the training rows.
            K1 = (sums - K[:, out].sum(axis=1))[split.train]
            a, b = K1 @ self.Z[split.train], K1.sum()
            left = np.vstack([self.Z[out], mean])
            right = np.vstack([H, a - b / 2 * mean])
            half = left.T @ right
            crosses.append(everything - half - half.T)
        return crosses


def _dense(A: np.ndarray | csr_array) -> np.ndarray:
    return A if isinstance(A, np.ndarray) else A.toarray()
