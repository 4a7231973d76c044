"""One number of several versions of a subject, beside the original's."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import GRID, MARKERS, MUTED, PALETTE, WIDTH


@drawn
def variants(panels: Mapping[str, pd.DataFrame], *, columns: int = 2) -> Figure:
    """Values with intervals: one panel a number, one row a version; dashed: the original's, which comes first.

    Parameters
    ----------
    panels
        By title: a table indexed by version, the same ones in each, with value, low, high.
    columns
        Panels side by side.
    """
    labels = list(next(iter(panels.values())).index)
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (0.26 * len(labels) + 0.75)), sharey=True, squeeze=False
    )
    for axis, (title, table) in zip(axes.flat, panels.items()):
        axis.axvline(table["value"].iloc[0], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        for i, (_, row) in enumerate(table.iterrows()):
            colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
            axis.plot([row["low"], row["high"]], [i, i], color=colour, linewidth=1.6, solid_capstyle="butt")
            axis.plot(row["value"], i, color=colour, marker=marker, linestyle="none")
        axis.set_title(title, fontsize=9.5)
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.grid(axis="y", color=GRID, linewidth=0.6)
    axes[0, 0].set_yticks(np.arange(len(labels)), labels)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    return figure
