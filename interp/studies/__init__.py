"""The expensive computations the book is made of: subjects, norms and texts put to the measures, through the store.

Arguments are plain values (names, numbers), so that a chapter's parameters, a profile and the command line all mean the
same computation and share its stored result.
"""

from interp.studies.attention_maps import (
    attention_crossed,
    attention_lineup,
    attention_positions,
    attention_structure,
    attention_swaps,
    candidates,
    with_twins,
)
from interp.studies.property_inference import property_scores, some_concepts
from interp.studies.residual_stream import residual_mixing

__all__ = [
    "attention_crossed",
    "attention_lineup",
    "attention_positions",
    "attention_structure",
    "attention_swaps",
    "candidates",
    "property_scores",
    "residual_mixing",
    "some_concepts",
    "with_twins",
]
