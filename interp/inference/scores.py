"""The result of a cross-validation: values per fold, estimates pooled over folds and seeds, and their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp.controls import CONTROLS
from interp.errors import InputError
from interp.registry import unknown
from interp.resampling import interval

SCORINGS = {
    "held-out": "raw score on the test concepts",
    "training": "raw score on as many of the training concepts",
    "of-upper-bound": "held-out score as a share of the control's own upper bound",
    "calibrated": "(score - floor) / (upper bound - floor), both on the control's own targets",
    "calibrated-oracle": "(score - floor) / (oracle - floor), both on the control's own targets",
}
"""The ways a control is scored (PROTOCOL 6)."""

LEAST_SPAN = 0.02
"""A calibrated score is undefined where the ceiling is not at least this far above the floor (PROTOCOL 5)."""

LEAST_DEFINED = 0.8
"""A metric undefined for more than a fifth of the concepts is n/a."""

KEY = ["control", "reference", "scoring", "selection", "metric"]


class Cell(NamedTuple):
    """One control, reference, scoring, selection rule, metric and seed."""

    control: str
    reference: str
    """``self``, or the reference on the control's own Y: ``floor``, ``ceiling``, ``oracle``."""
    scoring: str
    """``held-out`` or ``training``."""
    selection: str
    metric: str
    seed: int
    sizes: tuple[int, ...]
    """Latent size chosen in each fold."""
    by_fold: tuple[float, ...]
    defined: float
    """Share of the tested concepts on which the metric is defined."""
    estimate: float
    replicates: Float[np.ndarray, "resample"]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of controls.

    Attributes
    ----------
    folds
        Tidy: one row = (control, reference, scoring, selection, metric, seed, fold), with `latent` and `value`.
    cells
        One row = (control, reference, scoring, selection, metric): `estimate` (mean over seeds), `sd_seeds`, `latent`
        (median), `defined`.
    replicates
        Bootstrap replicates of the estimate, row by row as in `cells`.
    skipped
        Controls that do not apply here, with the reason.
    """

    folds: pd.DataFrame
    cells: pd.DataFrame
    replicates: Float[np.ndarray, "cell resample"]
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def pooled(cls, cells: Sequence[Cell], skipped: dict[str, str], resamples: int) -> Scores:
        """Average the cells of the seeds."""
        together: dict[tuple[str, ...], list[Cell]] = {}
        for cell in cells:
            together.setdefault(cell[:5], []).append(cell)
        folds = [
            (*cell[:5], cell.seed, fold, size, value)
            for cell in cells
            for fold, (size, value) in enumerate(zip(cell.sizes, cell.by_fold))
        ]
        rows, replicates = [], np.empty((len(together), resamples), dtype=np.float32)
        for i, (key, mine) in enumerate(together.items()):
            estimates = np.array([c.estimate for c in mine])
            spread = float(estimates.std(ddof=1)) if len(mine) > 1 else float("nan")
            latent = float(np.median([size for c in mine for size in c.sizes]))
            rows.append((*key, float(estimates.mean()), spread, latent, float(np.mean([c.defined for c in mine]))))
            replicates[i] = np.mean([c.replicates for c in mine], axis=0)
        return cls(
            pd.DataFrame(folds, columns=[*KEY, "seed", "fold", "latent", "value"]),
            pd.DataFrame(rows, columns=[*KEY, "estimate", "sd_seeds", "latent", "defined"]),
            replicates,
            dict(skipped),
        )

    @classmethod
    def concatenated(cls, parts: Iterable[Scores]) -> Scores:
        """Several results as one (other controls of the same problem: their resamples are the same)."""
        parts = list(parts)
        return cls(
            pd.concat([p.folds for p in parts], ignore_index=True),
            pd.concat([p.cells for p in parts], ignore_index=True),
            np.concatenate([p.replicates for p in parts]),
            {name: why for p in parts for name, why in p.skipped.items()},
        )

    @classmethod
    def over_seeds(cls, parts: Sequence[Scores]) -> Scores:
        """Average results of the same controls with one seed each."""
        cells = [cell for part in parts for cell in part._single_seed_cells()]
        return cls.pooled(cells, {k: v for p in parts for k, v in p.skipped.items()}, parts[0].replicates.shape[1])

    def _single_seed_cells(self) -> Iterator[Cell]:
        folds = dict(iter(self.folds.groupby(KEY, sort=False)))
        for row, replicates in zip(self.cells.itertuples(index=False), self.replicates, strict=True):
            mine = folds[row[:5]]
            (seed,) = mine["seed"].unique()
            sizes, values = tuple(mine["latent"].tolist()), tuple(mine["value"].tolist())
            yield Cell(*row[:5], int(seed), sizes, values, row.defined, row.estimate, replicates)  # type: ignore[call-arg]

    def to_tables(self) -> dict[str, pd.DataFrame]:
        """The parts as tables with string column names, for the store."""
        replicates = pd.DataFrame(self.replicates, columns=[f"r{i}" for i in range(self.replicates.shape[1])])
        skipped = pd.DataFrame(list(self.skipped.items()), columns=["control", "reason"], dtype=str)
        return {"scores": self.folds, "cells": self.cells, "replicates": replicates, "skipped": skipped}

    @classmethod
    def from_tables(cls, tables: dict[str, pd.DataFrame]) -> Scores:
        """The inverse of `to_tables`."""
        skipped = tables["skipped"]
        return cls(
            tables["scores"],
            tables["cells"],
            tables["replicates"].to_numpy(dtype=np.float32),
            dict(zip(skipped["control"], skipped["reason"])),
        )

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], int]:
        return {key: i for i, key in enumerate(self.cells[KEY].itertuples(index=False, name=None))}

    def sample(
        self, control: str, metric: str, scoring: str = "held-out", selection: str = "argmin"
    ) -> tuple[float, Float[np.ndarray, "resample"]]:
        """Estimate and bootstrap replicates of one control under one of the `SCORINGS`; NaN where it is undefined.

        Raises
        ------
        InputError
            For a control, metric or selection that was not run.
        """
        if scoring not in SCORINGS:
            raise InputError(unknown("scoring", scoring, SCORINGS))
        raw = scoring if scoring == "training" else "held-out"
        mine = self._rows.get((control, "self", raw, selection, metric))
        if mine is None:
            self._explain_missing(control, metric, selection)
            return float("nan"), np.full(self.replicates.shape[1], np.nan)
        if self.cells["defined"].to_numpy()[mine] < LEAST_DEFINED and not metric.startswith("nn-within"):
            return float("nan"), np.full(self.replicates.shape[1], np.nan)
        value, replicates = self._values(mine)
        if scoring in ("held-out", "training"):
            return value, replicates
        ceiling, ceilings = self._reference(
            control, "oracle" if scoring.endswith("oracle") else "ceiling", selection, metric
        )
        if scoring == "of-upper-bound":
            return _share(value, ceiling), _share(replicates, ceilings)
        floor, floors = self._reference(control, "floor", selection, metric)
        if not abs(ceiling - floor) > LEAST_SPAN:
            return float("nan"), np.full(self.replicates.shape[1], np.nan)
        return _share(value - floor, ceiling - floor), _share(replicates - floors, ceilings - floors)

    def _values(self, row: int) -> tuple[float, Float[np.ndarray, "resample"]]:
        return float(self.cells["estimate"].to_numpy()[row]), self.replicates[row].astype(float)

    def _reference(
        self, control: str, reference: str, selection: str, metric: str
    ) -> tuple[float, Float[np.ndarray, "resample"]]:
        """A reference on the control's own targets; controls that keep the targets share theirs."""
        owners = [control]
        if control in CONTROLS and CONTROLS[control].keeps_targets:
            owners += [name for name, other in CONTROLS.items() if other.keeps_targets]
        for owner in owners:
            row = self._rows.get((owner, reference, "held-out", selection, metric))
            if row is not None:
                return self._values(row)
        raise InputError(f"control {control!r} was scored without its {reference}; run with references=True")

    def _explain_missing(self, control: str, metric: str, selection: str) -> None:
        """Raise if a name was never run; a metric that is n/a for the control's targets is no error."""
        for what, name in (("control", control), ("metric", metric), ("selection", selection)):
            known = list(self.cells[what].unique())
            if name not in known and not (what == "control" and name in self.skipped):
                raise InputError(unknown(f"{what} among these scores", name, known))

    def summary(self, *, level: float = 0.95, scorings: Iterable[str] = tuple(SCORINGS)) -> pd.DataFrame:
        """One row = (control, scoring, selection, metric): estimate, low, high, latent (median size)."""
        rows = []
        own = self.cells[(self.cells["reference"] == "self") & (self.cells["scoring"] == "held-out")]
        has_references = (self.cells["reference"] == "ceiling").any()
        for cell in own.itertuples():
            for scoring in scorings:
                if scoring not in ("held-out", "training") and not has_references:
                    continue
                value, replicates = self.sample(cell.control, cell.metric, scoring, cell.selection)
                low, high = interval(replicates, level)
                rows.append(
                    (
                        cell.control,
                        scoring,
                        cell.selection,
                        cell.metric,
                        value,
                        float(low),
                        float(high),
                        cell.latent,
                    )
                )
        return pd.DataFrame(
            rows, columns=["control", "scoring", "selection", "metric", "estimate", "low", "high", "latent"]
        )


def _share(part, whole):  # type: ignore[no-untyped-def]
    """part / whole, NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.where(np.equal(whole, 0), np.nan, np.divide(part, whole))
    return quotient if quotient.ndim else float(quotient)
