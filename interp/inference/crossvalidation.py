"""Every control, in every fold, with everything shared but the one thing that differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from interp.controls import CONTROLS, Control, NotApplicable, Problem
from interp.errors import InputError
from interp.inference import featurewise, ffnn, pls
from interp.inference.featurewise import FeatureTally
from interp.inference.folds import Split, grouped_folds
from interp.inference.inputs import Norms, checked_problem, some
from interp.inference.latent import RULES, choose, number
from interp.inference.metrics import (
    FAMILIES,
    FEATUREWISE,
    METRICS,
    RETRIEVAL_LIKE,
    Prediction,
    Tally,
    Truth,
)
from interp.inference.scores import Cell, Scores
from interp.registry import Registry
from interp.resampling import Bootstrap
from interp.seeding import generator


class Path(Protocol):
    """A fitted mapping that can predict with every latent size it knows."""

    @property
    def y_mean(self) -> np.ndarray:
        """The training mean: what latent size 0 predicts."""

    @property
    def sizes(self) -> np.ndarray: ...

    def predict(self, X: np.ndarray, size: int) -> np.ndarray:
        """(concept, width) -> (concept, feature)."""

    def squared_errors(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Mean squared error per concept and size: (concept, size)."""


class FitFolds(Protocol):
    """Fits one path per fold; sees training and validation concepts, never test concepts."""

    def __call__(
        self, problem: Problem, splits: Sequence[Split], largest: int | None, seed: int, device: str
    ) -> Sequence[Path]: ...


MAPPINGS: Registry[FitFolds] = Registry("mapping", "interp score --help")
"""Mappings from embeddings to features that `crossvalidate` knows."""


@MAPPINGS.register("plsr")
def _plsr(
    problem: Problem,
    splits: Sequence[Split],
    largest: int | None,
    seed: int,  # noqa: ARG001  (nothing is drawn)
    device: str,
) -> Sequence[Path]:
    return pls.fit_folds(problem.X, problem.Y, [split.train for split in splits], largest, device=device)


@MAPPINGS.register("plsr-scaled")
def _plsr_scaled(
    problem: Problem,
    splits: Sequence[Split],
    largest: int | None,
    seed: int,  # noqa: ARG001  (nothing is drawn)
    device: str,
) -> Sequence[Path]:
    return pls.fit_scaled(problem.X, problem.Y, [split.train for split in splits], largest, device=device)


@MAPPINGS.register("ffnn")
def _ffnn(problem: Problem, splits: Sequence[Split], largest: int | None, seed: int, device: str) -> Sequence[Path]:
    sizes = [size for size in ffnn.HIDDEN_SIZES if largest is None or size <= largest] or [largest or 1]
    folds = [(split.train, split.validation) for split in splits]
    return ffnn.fit_folds(problem.X, problem.Y, folds, sizes, seed=seed, device=device)


def crossvalidate(
    X: Float[np.ndarray, "concept width"],
    norms: Norms,
    *,
    mapping: str = "plsr",
    controls: Iterable[str] = ("original",),
    folds: int = 10,
    seeds: Iterable[int] = (0,),
    selections: Sequence[str] = ("argmin",),
    metrics: Sequence[str] | None = None,
    largest: int | None = None,
    references: bool = True,
    pieces: Sequence[Sequence[int]] | None = None,
    resamples: int = 1000,
    device: str = "cpu",
) -> Scores:
    """Score `controls` of the problem X -> norms.

    Parameters
    ----------
    X
        One embedding per concept.
    norms
        Targets, with lemmas (concepts that share one stay in one fold) and taxonomy.
    mapping
        A name in `MAPPINGS`.
    controls
        Names in `interp.controls.CONTROLS`.
    folds, seeds
        Grouped folds, dealt anew for each seed (PROTOCOL 4).
    selections
        How the latent size is chosen: names in `RULES`, or numbers.
    metrics
        Names in `METRICS`; None for all.
    largest
        The largest latent size; None for what the data allow, at most 100.
    references
        Also score each control's own floor (`mean-vector`), ceiling (`upper-bound`) and `oracle`, on its own Y; once
        for all controls that keep the targets.
    pieces
        Sub-word ids of each lemma, for the controls that keep sub-word sharing.
    resamples
        Bootstrap resamples of lemmas, the same ones for every control and seed, so that differences are paired.

    Returns
    -------
    Scores
        Tidy values per fold, pooled estimates, and bootstrap replicates.

    Raises
    ------
    InputError
        For unknown names, a latent size the data do not allow, and what `interp.inference.inputs` refuses (it also
        says how constant columns, empty rows and features nobody carries are handled).
    """
    problem = checked_problem(X, norms, pieces)
    wanted = [CONTROLS[name] for name in controls]
    seeds = list(seeds)
    for what, asked in (("control", wanted), ("seed", seeds), ("latent-size rule", selections)):
        some(what, asked)
    chosen_metrics = list(METRICS) if metrics is None else [METRICS[name].name for name in metrics]
    some("metric", chosen_metrics)
    largest = _largest(selections, largest)
    fit = MAPPINGS[mapping]
    bootstrap = Bootstrap(problem.lemmas, resamples)
    runs, skipped = [], {}
    with tqdm(
        total=len(seeds) * len(wanted),
        desc=f"{mapping}, {len(wanted)} controls",
        unit="run",
        disable=None if len(seeds) * len(wanted) > 1 else True,
    ) as bar:
        for seed in seeds:
            splits = grouped_folds(problem.lemmas, folds, seed)
            kept = False  # whether floor and ceilings of the real targets are there already
            for control in wanted:
                try:
                    altered = control.build(problem, generator(seed, "control", control.name))
                except NotApplicable as why:
                    skipped[control.name] = str(why)
                else:
                    run = _Run(control.name, seed, splits, chosen_metrics, selections, bootstrap)
                    if altered.lemmas is not problem.lemmas:  # concepts in another order, and folds with them
                        run.splits = grouped_folds(altered.lemmas, folds, seed)
                        run.bootstrap = Bootstrap(altered.lemmas, resamples)
                    run.score(control, altered, fit, largest, device)
                    if references and not (control.keeps_targets and kept):
                        run.references(altered, fit, largest, device)
                        kept |= control.keeps_targets
                    runs.append(run)
                bar.update()
    return Scores.pooled([cell for run in runs for cell in run.cells], skipped, bootstrap.size)


def _largest(selections: Sequence[str], largest: int | None) -> int | None:
    """Check the selections before anything is fitted; a number above the default largest size raises that size."""
    numbers = []
    for selection in selections:
        size = number(selection)
        if size is None:
            RULES[selection]
        else:
            numbers.append(size)
    if min(numbers, default=0) < 0:
        raise InputError(f"latent size {min(numbers)} is not possible: 0 (the training mean) is the smallest")
    asked = max(numbers, default=0)
    if largest is None:
        return asked if asked > pls.MOST_COMPONENTS else None
    if asked > largest:
        raise InputError(f"latent size {asked} is larger than the largest one to be fitted ({largest})")
    return largest


@dataclass(frozen=True)
class _Scored:
    """What every metric makes of the predictions for one fold."""

    rows: Int[np.ndarray, "test"]
    tallies: dict[str, Tally]
    featured: dict[str, FeatureTally]

    @classmethod
    def of(cls, truth: Truth, prediction: Prediction, metrics: Sequence[str]) -> _Scored:
        """Those of `metrics` that have a meaning for these targets."""
        wanted = [m for m in metrics if truth.retrievable or METRICS[m].family not in RETRIEVAL_LIKE]
        tallies: dict[str, Tally] = {}
        for family in dict.fromkeys(METRICS[m].family for m in wanted if m not in FEATUREWISE):
            tallies |= FAMILIES[family](truth, prediction)
        return cls(
            prediction.rows,
            {m: tallies[m] for m in wanted if m not in FEATUREWISE},
            {m: FEATUREWISE[m](truth, prediction) for m in wanted if m in FEATUREWISE},
        )


class _Run:
    """Collects the tallies of one control with one seed into cells."""

    def __init__(
        self,
        control: str,
        seed: int,
        splits: Sequence[Split],
        metrics: Sequence[str],
        selections: Sequence[str],
        bootstrap: Bootstrap,
    ) -> None:
        self.control, self.seed, self.splits = control, seed, splits
        self.metrics, self.selections, self.bootstrap = metrics, selections, bootstrap
        self.cells: list[Cell] = []

    def score(self, control: Control, problem: Problem, fit: FitFolds, largest: int | None, device: str) -> None:
        """The control itself, held-out and on training concepts."""
        truth = Truth(problem.Y, problem.taxonomy)
        if control.predictor == "mapping":
            paths = fit(problem, self.splits, largest, self.seed, device)
            self.cells += self._mapped("self", truth, problem.X, paths, training=True)
        else:
            self.cells += self._fixed("self", control.predictor, truth, training=True)

    def references(self, problem: Problem, fit: FitFolds, largest: int | None, device: str) -> None:
        """Floor, oracle and ceiling on the problem's own targets, by the same mapping and selection."""
        truth = Truth(problem.Y, problem.taxonomy)
        ceiling = CONTROLS["upper-bound"].build(problem, generator(self.seed, "ceiling"))
        paths = fit(ceiling, self.splits, largest, self.seed, device)
        self.cells += self._fixed("floor", "training mean", truth)
        self.cells += self._fixed("oracle", "truth", truth)
        self.cells += self._mapped("ceiling", truth, ceiling.X, paths)

    def _fixed(self, reference: str, predictor: str, truth: Truth, *, training: bool = False) -> list[Cell]:
        """Score a predictor that is not fitted: the training mean, or the truth."""

        def predict(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
            return truth.Y[rows] if predictor == "truth" else np.tile(mean, (len(rows), 1))

        cells = []
        means = [truth.Y[split.train].mean(axis=0) for split in self.splits]
        for scoring, rows_of in self._scorings(training):
            held = (Prediction(rows_of[i], predict(rows_of[i], mean), mean) for i, mean in enumerate(means))
            scored = [_Scored.of(truth, prediction, self.metrics) for prediction in held]
            cells += self._cells(reference, scoring, self.selections[0], [0] * len(scored), scored)
        # Nothing is fitted, so every selection rule has the same scores.
        return [cell._replace(selection=s) for s in self.selections for cell in cells]

    def _mapped(
        self, reference: str, truth: Truth, X: np.ndarray, paths: Sequence[Path], *, training: bool = False
    ) -> list[Cell]:
        """Score a fitted mapping; each selection rule picks the latent size on the validation concepts."""
        cells: list[Cell] = []
        errors = [path.squared_errors(X[s.validation], truth.Y[s.validation]) for s, path in zip(self.splits, paths)]
        for scoring, rows_of in self._scorings(training):
            known: dict[tuple[int, int], _Scored] = {}  # rules often choose the same size
            for selection in self.selections:
                sizes = [choose(selection, path.sizes, e) for path, e in zip(paths, errors)]
                for i, (path, size) in enumerate(zip(paths, sizes)):
                    if (i, size) not in known:
                        prediction = Prediction(rows_of[i], path.predict(X[rows_of[i]], size), path.y_mean)
                        known[i, size] = _Scored.of(truth, prediction, self.metrics)
                scored = [known[i, size] for i, size in enumerate(sizes)]
                cells += self._cells(reference, scoring, selection, sizes, scored)
        return cells

    def _scorings(self, training: bool) -> Iterator[tuple[str, list[np.ndarray]]]:
        yield "held-out", [split.test for split in self.splits]
        if training:
            rng = generator(self.seed, "training subset")
            yield (
                "training",
                [np.sort(rng.choice(s.train, size=min(len(s.test), len(s.train)), replace=False)) for s in self.splits],
            )

    def _cells(
        self,
        reference: str,
        scoring: str,
        selection: str,
        sizes: Sequence[int],
        folds: Sequence[_Scored],
    ) -> list[Cell]:
        n = self.bootstrap.counts.shape[1]
        # A metric that has no meaning for these targets stays undefined for every concept: it is n/a, not absent.
        numerators = {m: np.zeros(n) for m in self.metrics}
        weights = {m: np.zeros(n) for m in self.metrics}
        by_fold: dict[str, list[float]] = {m: [np.nan] * len(sizes) for m in self.metrics}
        tested = np.zeros(n, dtype=bool)
        for fold in folds:
            tested[fold.rows] = True
            for m, tally in fold.tallies.items():
                np.add.at(numerators[m], fold.rows, tally.numerator)
                np.add.at(weights[m], fold.rows, tally.weight)
        for m in folds[0].tallies:
            by_fold[m] = [_ratio(fold.tallies[m]) for fold in folds]
        for m in folds[0].featured:
            featured = [(fold.rows, fold.featured[m]) for fold in folds]
            numerators[m], weights[m] = featurewise.combine(featured, n)
            by_fold[m] = [featurewise.fold_score(tally) for _, tally in featured]
        return [
            Cell(
                self.control,
                reference,
                scoring,
                selection,
                m,
                self.seed,
                tuple(sizes),
                tuple(by_fold[m]),
                float((weights[m][tested] > 0).mean()),
                *self.bootstrap.ratio(numerators[m], weights[m]),
            )
            for m in self.metrics
        ]


def _ratio(tally: Tally) -> float:
    weight = tally.weight.sum()
    return float(tally.numerator.sum() / weight) if weight > 0 else float("nan")
