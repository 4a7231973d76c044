"""How scores depend on the latent size."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import LINES, PALETTE, WIDTH


@drawn
def latent_curves(
    curves: pd.DataFrame, *, metrics: Sequence[str], controls: Sequence[str], chosen: pd.DataFrame
) -> Figure:
    """Score against the number of components, one panel a metric, one line a control, bands 95 %.

    Parameters
    ----------
    curves
        Columns control, metric, size, estimate, low, high.
    chosen
        Columns control, latent: the median size that the selection rule picks, marked on each line.
    """
    figure, axes = plt.subplots(1, len(metrics), figsize=(WIDTH, 3.1), squeeze=False)
    for axis, metric in zip(axes[0], metrics):
        for control, colour, line in zip(controls, PALETTE, LINES):
            mine = curves[(curves["control"] == control) & (curves["metric"] == metric)].sort_values("size")
            axis.fill_between(mine["size"], mine["low"], mine["high"], color=colour, alpha=0.18, linewidth=0)
            axis.plot(mine["size"], mine["estimate"], color=colour, linestyle=line, label=control)
            at = chosen.loc[chosen["control"] == control, "latent"]
            if len(at):
                near = mine.iloc[(mine["size"] - at.iloc[0]).abs().argsort()[:1]]
                axis.plot(near["size"], near["estimate"], "o", color=colour, markersize=6, markerfacecolor="none")
        axis.set_title(metric)
        axis.set_xlabel("latent size (PLS components)")
    axes[0, 0].set_ylabel("held-out score")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(controls), 4))
    return figure
