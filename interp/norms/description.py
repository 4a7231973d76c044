"""The numbers that tell one norm set from another."""

from __future__ import annotations

import numpy as np

from interp.norms.normset import NormSet
from interp.targets import UNCATEGORISED


def effective_rank(values: np.ndarray) -> float:
    """Exponential of the entropy of the normalised squared singular values of the centred matrix (Roy & Vetterli 2007).

    They take the singular values themselves; we take their squares, the shares of variance.
    """
    squares = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
    share = squares[squares > 0] / squares.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def describe(norms: NormSet) -> dict[str, str | int | float]:
    """One row of the table of norm sets."""
    carried = (norms.values > 0).sum(axis=0)
    return {
        "norms": norms.name,
        "concepts": len(norms.concepts),
        "features": len(norms.features),
        "density": norms.density,
        "features a concept": float((norms.values > 0).sum(axis=1).mean()),
        "held by one": float((carried == 1).mean()),
        "effective rank": effective_rank(norms.values),
        "categories": len(set(norms.taxonomy) - {UNCATEGORISED}),
        "uncategorised": float(np.mean(np.array(norms.taxonomy) == UNCATEGORISED)),
    }
