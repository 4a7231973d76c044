"""Controls: what a mapping is asked to learn, altered so that one thing is destroyed and the rest kept."""

# isort: off
# They register when they are imported, in the order in which tables and ladders show them.
from interp.controls import references, shuffles, taxonomic, random_targets, nonsense  # noqa: F401

# isort: on
from interp.controls.problem import CONTROLS, Control, NotApplicable, Problem

__all__ = ["CONTROLS", "Control", "NotApplicable", "Problem"]
