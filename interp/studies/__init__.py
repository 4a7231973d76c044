"""The expensive computations the book is made of: subjects, norms and texts put to the measures, through the store.

Arguments are plain values (names, numbers), so that a chapter's parameters, a profile and the command line all mean the
same computation and share its stored result.
"""

from interp.studies.attention_maps import (
    attention_crossed,
    attention_positions,
    attention_structure,
    attention_swaps,
    with_twins,
)
from interp.studies.blank_out import blank_out
from interp.studies.contextual import context_similarity, contextual_scores
from interp.studies.deployment import cost, output_change, silenced
from interp.studies.description import description, word_pieces
from interp.studies.draws import over_draws
from interp.studies.ground_truth import operating_characteristic, planted_norms, recommended
from interp.studies.lineup import attention_example, attention_lineup, attention_rounds
from interp.studies.permutation_null import permutation_null
from interp.studies.property_inference import property_scores, some_concepts
from interp.studies.published_faithfulness import published_faithfulness
from interp.studies.relation_probe import probe_counts, probe_items, probe_scores
from interp.studies.residual_stream import residual_mixing, traced_text
from interp.studies.sensitivity import sensitivity, sensitivity_moves, sensitivity_table
from interp.studies.sparsity_and_geometry import norm_shapes, ratings_floor, synthetic_scores
from interp.studies.token_identity import token_identity
from interp.studies.training_record import perplexity, training_record

__all__ = [
    "attention_crossed",
    "attention_example",
    "attention_lineup",
    "attention_positions",
    "attention_rounds",
    "attention_structure",
    "attention_swaps",
    "blank_out",
    "context_similarity",
    "contextual_scores",
    "cost",
    "description",
    "norm_shapes",
    "operating_characteristic",
    "output_change",
    "over_draws",
    "permutation_null",
    "perplexity",
    "planted_norms",
    "probe_counts",
    "probe_items",
    "probe_scores",
    "property_scores",
    "published_faithfulness",
    "ratings_floor",
    "recommended",
    "residual_mixing",
    "sensitivity",
    "sensitivity_moves",
    "sensitivity_table",
    "silenced",
    "some_concepts",
    "synthetic_scores",
    "token_identity",
    "traced_text",
    "training_record",
    "with_twins",
    "word_pieces",
]
