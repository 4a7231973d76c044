"""Average ranks of many rows at once."""

import numpy as np
from jaxtyping import Float


def average_ranks(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """Ranks within each row from 1 on, ties sharing their mean: `scipy.stats.rankdata` along the last axis.

    scipy sorts stably, which takes several times as long where few values are tied, as in predictions. The mean rank of
    a tie does not depend on the order within it, so that any sort will do.

    Examples
    --------
    >>> average_ranks(np.array([[0.3, 0.1, 0.2], [5.0, 5.0, 1.0]]))
    array([[3. , 1. , 2. ],
           [2.5, 2.5, 1. ]])
    """
    order = np.argsort(values, axis=1)
    ascending = np.take_along_axis(values, order, axis=1)
    begins = np.ones(values.shape, dtype=bool)  # where a tie, or a single value, begins
    np.not_equal(ascending[:, 1:], ascending[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    count = np.diff(first, append=values.size)
    ranks = np.empty(values.shape)
    mean = first % max(values.shape[1], 1) + (count + 1) / 2
    np.put_along_axis(ranks, order, np.repeat(mean, count).reshape(values.shape), axis=1)
    return ranks
