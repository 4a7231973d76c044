"""What feature norms look like as matrices."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import GRID, LINES, PALETTE, WIDTH

PANELS = {
    "features a concept": ("features of a concept", "share of concepts"),
    "carriers": ("feature, by rank", "concepts that carry it"),
    "spectrum": ("component, by rank", "singular value (first = 1)"),
    "values": ("value (largest possible = 1)", "share of values"),
}
"""Labels of the axes, by curve."""


@drawn
def norms_overview(carriers: Mapping[str, np.ndarray], spectra: Mapping[str, np.ndarray]) -> Figure:
    """Left: how many concepts carry a feature, features ranked. Right: share of variance of the leading components.

    Parameters
    ----------
    carriers
        By norm set: concepts per feature.
    spectra
        By norm set: cumulated share of the variance of the centred matrix, by number of components.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    for (name, counts), colour, line in zip(carriers.items(), PALETTE, LINES):
        ranked = np.sort(counts)[::-1]
        left.plot(np.arange(1, len(ranked) + 1), ranked, color=colour, linestyle=line, label=name)
    left.set(xscale="log", yscale="log", xlabel="feature, by rank", ylabel="concepts that carry it")
    left.set_title("Most features are rare")
    for (name, share), colour, line in zip(spectra.items(), PALETTE, LINES):
        right.plot(np.arange(1, len(share) + 1), share, color=colour, linestyle=line, label=name)
    right.set(xlabel="principal components", ylabel="share of variance", ylim=(0, 1))
    right.set_title("How much few components hold")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@drawn
def norms_marginals(curves: pd.DataFrame) -> Figure:
    """Four marginals of norm sets, one line a set.

    Parameters
    ----------
    curves
        Columns norms, curve, x, y (`interp.norms.marginals`). A spectrum's tail below 0.01 is cut off.
    """
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.4))
    for axis, (name, (x, y)) in zip(axes.flat, PANELS.items()):
        for norms, colour, line in zip(dict.fromkeys(curves["norms"]), PALETTE, LINES):
            mine = curves[(curves["curve"] == name) & (curves["norms"] == norms)].sort_values("x")
            axis.plot(mine["x"], mine["y"], color=colour, linestyle=line, label=norms)
        axis.set(xlabel=x, ylabel=y)
        axis.grid(color=GRID)
    for axis in axes.flat[:3]:
        axis.set_xscale("log")
    axes.flat[0].set_xticks([5, 10, 20, 50], ["5", "10", "20", "50"])
    axes.flat[0].minorticks_off()
    axes.flat[1].set_yscale("log")
    axes.flat[2].set(yscale="log", ylim=(0.01, 1.1))
    for axis in (axes.flat[0], axes.flat[3]):
        axis.set_ylim(0, 1.03)
    for axis, title in zip(
        axes.flat, ("How many features", "How common a feature is", "Geometry", "How large a value is")
    ):
        axis.set_title(title)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
