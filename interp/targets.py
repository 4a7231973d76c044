"""What norms, controls and metrics agree on about a target matrix concepts x features."""

import numpy as np
from jaxtyping import Float

UNCATEGORISED = "uncategorised"
"""The category of a concept that has none, or that would be alone in its own."""

DENSE_ABOVE = 0.25
"""Share of cells > 0 above which a target counts as dense ratings (PROTOCOL 5): Binder .96, McRae .005."""


def is_dense(Y: Float[np.ndarray, "concept feature"]) -> bool:
    """Whether Y holds ratings on every feature rather than features that people listed."""
    return bool((Y > 0).mean() > DENSE_ABOVE)
