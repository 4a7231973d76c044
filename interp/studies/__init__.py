"""The expensive computations the book is made of: subjects, norms and texts put to the measures, through the store.

Arguments are plain values (names, numbers), so that a chapter's parameters, a profile and the command line all mean the
same computation and share its stored result.
"""

from interp.studies.property_inference import property_scores, some_concepts
from interp.studies.residual_stream import residual_mixing
from interp.studies.token_identity import token_identity

__all__ = ["property_scores", "residual_mixing", "some_concepts", "token_identity"]
