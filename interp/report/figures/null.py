"""Observed scores beside what they are under permutation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import MUTED, PALETTE, WIDTH

if TYPE_CHECKING:
    from interp.inference.permutation import PermutationNull


@drawn
def permutation_null(null: PermutationNull, *, metrics: Sequence[str]) -> Figure:
    """One panel a metric: the permutations as a histogram, the observed score as a line."""
    figure, axes = plt.subplots(1, len(metrics), figsize=(WIDTH, 2.6), squeeze=False, sharey=True)
    for axis, metric in zip(axes[0], metrics):
        values = np.append(null.null(metric), null.observed(metric))
        # Bins over all that the panel shows: a null distribution that is narrow beside the effect stays visible.
        axis.hist(values[:-1], bins=np.linspace(values.min(), values.max(), 31), color=MUTED, label="permutations")
        axis.axvline(null.observed(metric), color=PALETTE[1], label="observed")
        axis.set_title(metric)
        axis.set_xlabel("held-out score")
        axis.locator_params(axis="x", nbins=4)
    axes[0, 0].set_ylabel("permutations")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
