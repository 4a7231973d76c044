"""Average ranks of many rows at once."""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata


def average_ranks(values: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """Ranks within each row from 1 on, ties sharing their mean: `scipy.stats.rankdata` along the last axis.

    scipy sorts stably, for the sake of ties. Predictions have none, and without ties any sort gives the same ranks:
    where no row has one this is five times faster.

    Examples
    --------
    >>> average_ranks(np.array([[0.3, 0.1, 0.2], [5.0, 5.0, 1.0]]))
    array([[3. , 1. , 2. ],
           [2.5, 2.5, 1. ]])
    """
    order = np.argsort(values, axis=1)
    ascending = np.take_along_axis(values, order, axis=1)
    if not (ascending[:, 1:] > ascending[:, :-1]).all():
        return rankdata(values, axis=1)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, values.shape[1] + 1)[None], axis=1)
    return ranks
