"""Controls: what a mapping is asked to learn, altered so that one thing is destroyed and the rest kept."""

from interp.controls import nonsense, random_targets, references, shuffles, taxonomic  # noqa: F401  (they register)
from interp.controls.problem import CONTROLS, Control, NotApplicable, Problem

__all__ = ["CONTROLS", "Control", "NotApplicable", "Problem"]
