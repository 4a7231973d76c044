"""Several draws of a permuted twin as one subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd


def over_draws(measured: Callable[[str], pd.DataFrame], subject: str, seeds: Sequence[int]) -> pd.DataFrame:
    """What `measured` gives for a subject; of a twin ``SUBJECT:permuted``, the tables of its draws one below the other.

    A text then has a row for every draw. What pools over texts so pools over draws, too: values are means over both,
    intervals are over texts, each drawn with all of its draws.

    Parameters
    ----------
    seeds
        Of the permutations (PROTOCOL 1: at least three wherever the twin is shown).
    """
    if not subject.endswith(":permuted"):
        return measured(subject)
    return pd.concat([measured(f"{subject}:{seed}") for seed in seeds], ignore_index=True)
