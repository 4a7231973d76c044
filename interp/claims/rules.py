"""Decision rules: from an estimate with its bootstrap replicates to an outcome (PROTOCOL 9).

Every rule can end in *undecided*: an interval that reaches over a threshold decides nothing. The p-value of a verdict
is that of its decision, from the replicates beyond the threshold: (b + 1) / (n + 1), doubled where the rule looks at
both sides. `judging` corrects it for the readings of the claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp.registry import Registry
from interp.resampling import crossing, interval

OUTCOMES = ("holds", "partly", "fails", "undecided", "not run")
"""What a reading can come out as."""

SAME = 0.10
"""A calibrated difference within this of zero is "nearly the same" (equivalence margin)."""

COLLAPSED = 0.10
"""A calibrated score below this has collapsed to the floor."""


@dataclass(frozen=True)
class Sample:
    """An estimate, its bootstrap replicates, and what it is compared with on the same resamples."""

    estimate: float
    replicates: Float[np.ndarray, "resample"]
    reference: float = float("nan")
    references: Float[np.ndarray, "resample"] | None = None
    missing: str = ""
    """Why there is no estimate, where the evidence can say it better than the rule."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of one reading on one body of evidence."""

    outcome: str
    """One of `OUTCOMES`."""
    statistic: float
    low: float
    high: float
    level: float
    """Of the interval shown: 0.90 for equivalence (two one-sided tests at 5 %), else 0.95."""
    note: str = ""
    p: float = float("nan")
    """Of the decision: how often resampling crosses the threshold that it rests on. 1 where nothing was decided."""
    p_holm: float = float("nan")
    """The same among the readings of its claim on this evidence (Holm); the outcome stands if it is at most 0.05."""


Rule = Callable[[Sample], Verdict]
RULES: Registry[Rule] = Registry("decision rule", "interp claims")
"""Decision rules: each turns a statistic and its interval into an outcome."""


def _limits(replicates: np.ndarray, level: float) -> tuple[float, float]:
    low, high = interval(replicates, level)
    return float(low), float(high)


@RULES.register("nearly-the-same")
def nearly_the_same(sample: Sample) -> Verdict:
    """Equivalence of calibrated scores: holds if the 90 % interval of the difference lies within +-0.10.

    Otherwise, if the difference is beyond the margin: fails where the score itself has collapsed to the floor (95 %
    interval below 0.10), partly where it has not; the share retained is noted.
    """
    if sample.references is None or not np.isfinite([sample.estimate, sample.reference]).all():
        return _not_run(sample.missing or "no calibrated score here")
    difference = sample.replicates - sample.references
    low, high = _limits(difference, 0.90)
    gap = sample.estimate - sample.reference
    retained = sample.estimate / sample.reference if sample.reference else float("nan")
    note = f"share retained {retained:z.2f}" if np.isfinite(retained) else ""
    if low > -SAME and high < SAME:
        return Verdict("holds", gap, low, high, 0.90, note, crossing(difference, above=-SAME, below=SAME))
    if high < -SAME:
        outcome = "fails" if _limits(sample.replicates, 0.95)[1] < COLLAPSED else "partly"
        return Verdict(outcome, gap, low, high, 0.90, note, crossing(difference, below=-SAME))
    if low < SAME:
        return Verdict("undecided", gap, low, high, 0.90, note, 1.0)
    return Verdict("fails", gap, low, high, 0.90, note, crossing(difference, above=SAME))


@RULES.register("nearly-as-well")
def nearly_as_well(sample: Sample) -> Verdict:
    """Non-inferiority of a control: holds if the 90 % interval of its shortfall lies above -0.10; it may be better.

    If it is below: fails where the control has collapsed to the floor (95 % interval below 0.10), partly where it has
    not. Where the reference itself may be on the floor (its 95 % interval reaches 0) there is nothing to be nearly as
    good as, and nothing is decided.
    """
    if sample.references is None or not np.isfinite([sample.estimate, sample.reference]).all():
        return _not_run("no score to compare here")
    difference = sample.replicates - sample.references
    low, high = _limits(difference, 0.90)
    gap = sample.estimate - sample.reference
    if _limits(sample.references, 0.95)[0] <= 0:
        return Verdict("undecided", gap, low, high, 0.90, "what it is compared with may be at chance", 1.0)
    outcome, p = "undecided", 1.0
    if low > -SAME:
        outcome, p = "holds", crossing(difference, above=-SAME)
    elif high < -SAME:
        outcome = "fails" if _limits(sample.replicates, 0.95)[1] < COLLAPSED else "partly"
        p = crossing(difference, below=-SAME)
    return Verdict(outcome, gap, low, high, 0.90, f"share retained {sample.estimate / sample.reference:z.2f}", p)


@RULES.register("nine-tenths-retained")
def nine_tenths_retained(sample: Sample) -> Verdict:
    """Share of one raw score that another retains: holds if its 95 % interval lies above 0.90, fails if below 0.50.

    Partly if the interval lies between the two. Raw scores only: the share says how much of a number is there without
    what the control destroys, and a floor that both have in common is meant to count.
    """
    if sample.references is None or not np.isfinite([sample.estimate, sample.reference]).all() or not sample.reference:
        return _not_run("no raw score here")
    shares = np.full(len(sample.replicates), np.nan)
    np.divide(sample.replicates, sample.references, out=shares, where=sample.references != 0)
    return _by_tenths(sample.estimate / sample.reference, shares)


@RULES.register("collapses-to-the-floor")
def collapses_to_the_floor(sample: Sample) -> Verdict:
    """Holds if the 95 % interval of the calibrated score lies below 0.10, fails if above."""
    return _against(sample, COLLAPSED, below=True)


@RULES.register("close-to-the-ceiling")
def close_to_the_ceiling(sample: Sample) -> Verdict:
    """Holds if the 95 % interval of the calibrated score lies above 0.90, fails if below 0.50, partly if between."""
    if not np.isfinite(sample.estimate):
        return _not_run("no calibrated score here")
    return _by_tenths(sample.estimate, sample.replicates)


def _by_tenths(estimate: float, replicates: Float[np.ndarray, "resample"]) -> Verdict:
    low, high = _limits(replicates, 0.95)
    outcome, p = "undecided", 1.0
    if low > 1 - SAME:
        outcome, p = "holds", _two_sided(replicates, above=1 - SAME)
    elif high < 0.5:
        outcome, p = "fails", _two_sided(replicates, below=0.5)
    elif low > 0.5 and high < 1 - SAME:
        outcome, p = "partly", _two_sided(replicates, above=0.5, below=1 - SAME)
    return Verdict(outcome, estimate, low, high, 0.95, "", p)


@RULES.register("below-one-half")
def below_one_half(sample: Sample) -> Verdict:
    """Holds if the 95 % interval lies below one half, fails if above."""
    return _against(sample, 0.5, below=True)


@RULES.register("above-one-half")
def above_one_half(sample: Sample) -> Verdict:
    """Holds if the 95 % interval lies above one half, fails if below."""
    return _against(sample, 0.5, below=False)


@RULES.register("above-zero")
def above_zero(sample: Sample) -> Verdict:
    """Holds if the 95 % interval lies above zero, fails if below."""
    return _against(sample, 0.0, below=False)


@RULES.register("below-zero")
def below_zero(sample: Sample) -> Verdict:
    """Holds if the 95 % interval lies below zero, fails if above."""
    return _against(sample, 0.0, below=True)


def _against(sample: Sample, threshold: float, *, below: bool) -> Verdict:
    if not np.isfinite(sample.estimate):
        return _not_run(sample.missing or "undefined here")
    low, high = _limits(sample.replicates, 0.95)
    outcome, p = "undecided", 1.0
    if high < threshold:
        outcome, p = "holds" if below else "fails", _two_sided(sample.replicates, below=threshold)
    elif low > threshold:
        outcome, p = "fails" if below else "holds", _two_sided(sample.replicates, above=threshold)
    return Verdict(outcome, sample.estimate, low, high, 0.95, "", p)


def _two_sided(replicates: np.ndarray, **thresholds: float) -> float:
    return min(1.0, 2 * crossing(replicates, **thresholds))


def _not_run(why: str) -> Verdict:
    nan = float("nan")
    return Verdict("not run", nan, nan, nan, 0.95, why)
