"""Choosing the latent size from the validation errors (PROTOCOL 4). The test concepts are never looked at."""

import re
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from interp.errors import InputError
from interp.registry import Registry

Rule = Callable[[np.ndarray, Float[np.ndarray, "concept size"]], int]
"""From the sizes and the validation errors per concept to the position of the size chosen."""

RULES: Registry[Rule] = Registry("latent-size rule", "interp score --help")


@RULES.register("argmin")
def argmin(sizes: np.ndarray, errors: Float[np.ndarray, "concept size"]) -> int:  # noqa: ARG001
    """The size of the smallest validation MSE; the smaller one where two are equal."""
    return int(errors.mean(axis=0).argmin())


@RULES.register("elbow")
def elbow(sizes: np.ndarray, errors: Float[np.ndarray, "concept size"]) -> int:
    """The knee of the validation MSE (Kneedle, S = 1, convex and decreasing) over the sizes 1 to argmin.

    Satopaa et al. 2011. The paper says "elbow" and no more; where there is no knee this is argmin.
    """
    from kneed import KneeLocator

    best = argmin(sizes, errors)
    if best < 3:  # a knee needs a point on either side
        return best
    curve = errors.mean(axis=0)[1 : best + 1]
    knee = KneeLocator(sizes[1 : best + 1], curve, S=1.0, curve="convex", direction="decreasing").knee
    return best if knee is None else int(np.flatnonzero(sizes == knee)[0])


@RULES.register("one-se")
def one_se(sizes: np.ndarray, errors: Float[np.ndarray, "concept size"]) -> int:
    """The smallest size whose MSE is within one standard error (over concepts) of the smallest MSE."""
    best = argmin(sizes, errors)
    limit = errors[:, best].mean() + errors[:, best].std(ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else np.inf
    return int(np.flatnonzero(errors.mean(axis=0) <= limit)[0])


def number(selection: str) -> int | None:
    """The latent size that `selection` spells; None for the name of a rule.

    >>> number("20"), number("-3"), number("elbow"), number("²")
    (20, -3, None, None)
    """
    return int(selection) if re.fullmatch("-?[0-9]{1,18}", selection) else None


def choose(selection: str, sizes: np.ndarray, errors: Float[np.ndarray, "concept size"]) -> int:
    """The latent size by `selection`: the name of a rule, or a number.

    Raises
    ------
    InputError
        For an unknown rule, or a number that is not among `sizes`.
    """
    size = number(selection)
    if size is not None:
        if size not in sizes:
            raise InputError(
                f"latent size {size} is not possible here: the data allow {sizes.min()} to {sizes.max()}"
                + ("" if len(sizes) == sizes.max() - sizes.min() + 1 else f" (fitted: {', '.join(map(str, sizes))})")
            )
        return size
    return int(sizes[RULES[selection](sizes, errors)])
