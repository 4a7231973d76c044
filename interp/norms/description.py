"""The numbers that tell one norm set from another."""

from __future__ import annotations

import numpy as np

from interp import geometry
from interp.norms.normset import NormSet
from interp.targets import UNCATEGORISED


def describe(norms: NormSet) -> dict[str, str | int | float]:
    """One row of the table of norm sets."""
    carried = geometry.carriers(norms.values)
    return {
        "norms": norms.name,
        "concepts": len(norms.concepts),
        "features": len(norms.features),
        "density": norms.density,
        "features a concept": float((norms.values > 0).sum(axis=1).mean()),
        "held by one": float((carried == 1).mean()),
        "effective rank": geometry.effective_rank(norms.values),
        "categories": len(set(norms.taxonomy) - {UNCATEGORISED}),
        "uncategorised": float(np.mean(np.array(norms.taxonomy) == UNCATEGORISED)),
    }
