"""Bootstrap resamples, the same ones for everything that is compared, and the intervals read off them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interp.seeding import generator


class Bootstrap:
    """Bootstrap over concepts; those that share a lemma are drawn together.

    The resamples depend on the lemmas alone, so that two controls, two metrics or two runs of the program are compared
    on the same concepts.

    Parameters
    ----------
    lemmas
        One per concept.
    size
        Number of resamples.
    """

    def __init__(self, lemmas: Sequence[str], size: int) -> None:
        names, member = np.unique(np.asarray(lemmas), return_inverse=True)
        self.size = size
        rng = generator(0, "bootstrap")
        counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=size)
        self.counts: Float[np.ndarray, "resample concept"] = counts[:, member].astype(float)

    def ratio(
        self, numerator: Float[np.ndarray, "concept"], weight: Float[np.ndarray, "concept"]
    ) -> tuple[float, Float[np.ndarray, "resample"]]:
        """sum(numerator) / sum(weight) for all concepts, and for each resample; NaN where nothing is defined."""
        total = weight.sum()
        estimate = float(numerator.sum() / total) if total > 0 else float("nan")
        bottom = self.counts @ weight
        replicates = np.full(self.size, np.nan)
        np.divide(self.counts @ numerator, bottom, out=replicates, where=bottom > 0)
        return estimate, replicates


def crossing(replicates: Float[np.ndarray, "resample"], *, above: float = -np.inf, below: float = np.inf) -> float:
    """One-sided bootstrap p-value of lying above one threshold, below another, or between the two.

    (b + 1) / (n + 1), b of the n defined replicates being on the wrong side; of two sides, the larger. 1 where none is
    defined.
    """
    there = replicates[np.isfinite(replicates)]
    beyond = max(int((there <= above).sum()), int((there >= below).sum()))
    return (beyond + 1) / (len(there) + 1)


def with_interval(estimate: float, low: float, high: float) -> str:
    """An estimate and its interval as they are told.

    Examples
    --------
    >>> with_interval(0.512, 0.4, 0.61)
    '0.51 [0.40, 0.61]'
    """
    return f"{estimate:z.2f} [{low:z.2f}, {high:z.2f}]"


def interval(replicates: Float[np.ndarray, "*batch resample"], level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval along the last axis, resamples that are not defined left out."""
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        defined = np.isfinite(replicates).any(axis=-1, keepdims=True)
        filled = np.where(defined, replicates, 0.0)
        low, high = np.nanquantile(filled, [tail, 1 - tail], axis=-1)
    gone = ~defined[..., 0]
    return np.where(gone, np.nan, low), np.where(gone, np.nan, high)
