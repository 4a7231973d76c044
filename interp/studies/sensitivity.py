"""One choice changed at a time: which verdicts hang on it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from interp import claims
from interp.inference import Scores
from interp.studies.property_inference import property_scores

AS_IN_THE_BOOK = "as in the book"

VARIATIONS: dict[str, dict[str, Any]] = {
    AS_IN_THE_BOOK: {},
    "embedding layer:0": {"embedding": "layer:0"},
    "X and Y scaled": {"mapping": "plsr-scaled"},
    "targets binary": {"targets": "binary"},
    "targets of unit length": {"targets": "unit-row"},
    "lemmas capitalised": {"casing": "capitalised"},
}
"""What is changed, as arguments of `property_scores`."""

SELECTIONS = ("argmin", "elbow", "one-se", "20", "50")

CONTROLS = ("original", "shuffle-rows", "noise")

READINGS = ("P1-f1", "P2-rows", "P3-noise")


def sensitivity(
    subject: str, norms: str, *, seeds: Iterable[int] = range(1), largest: int | None = None, **common: Any
) -> dict[str, Scores]:
    """F1@10 of the original, of shuffled rows and of noise under each of the `VARIATIONS`, by its name."""
    selections = [s for s in SELECTIONS if largest is None or not s.isdigit() or int(s) <= largest]
    return {
        name: property_scores(
            subject,
            norms,
            CONTROLS,
            seeds=list(seeds),
            largest=largest,
            selections=selections,
            metrics=["f1@10"],
            **{**common, **changed},
        )
        for name, changed in VARIATIONS.items()
    }


def _cases(variations: Mapping[str, Scores]) -> Iterable[tuple[str, Scores, str]]:
    for name, scores in variations.items():
        for selection in scores.cells["selection"].unique():
            if name == AS_IN_THE_BOOK or selection == "argmin":
                yield name if selection == "argmin" else f"latent size: {selection}", scores, selection


def _outcomes(scores: Scores, selection: str) -> dict[str, str]:
    found = {}
    for reading in READINGS:
        verdict = claims.judge(reading.split("-")[0], scores, selection)[reading]
        found[reading] = verdict.outcome
    return found


def sensitivity_table(variations: Mapping[str, Scores]) -> pd.DataFrame:
    """One row a variation: calibrated F1@10 of each control, median latent size, outcome of each reading."""
    rows = []
    for label, scores, selection in _cases(variations):
        row: dict[str, Any] = {"changed": label}
        row |= {c: scores.sample(c, "f1@10", "calibrated", selection)[0] for c in CONTROLS}
        mine = scores.cells.query("control == 'original' and reference == 'self' and selection == @selection")
        rows.append({**row, "components": float(mine["latent"].iloc[0]), **_outcomes(scores, selection)})
    return pd.DataFrame(rows)


def sensitivity_moves(variations: Mapping[str, Scores]) -> str:
    """Which outcomes move, in a sentence."""
    cases = list(_cases(variations))
    before = _outcomes(cases[0][1], cases[0][2])
    moves = []
    for label, scores, selection in cases[1:]:
        for reading, outcome in _outcomes(scores, selection).items():
            if outcome != before[reading]:
                moves.append(f"{reading} from {before[reading]} to {outcome} ({label})")
    if not moves:
        return f"None of the {len(cases) - 1} changes moves an outcome of {', '.join(READINGS)}."
    return f"Of the {len(cases) - 1} changes, these move an outcome: {'; '.join(moves)}."
