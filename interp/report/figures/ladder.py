"""The ladder: one rung a control, from floor to ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import GRID, INK, MARKERS, MUTED, PALETTE, SURFACE, WIDTH

LABELS = {
    "held-out": "held-out, raw",
    "training": "training concepts, raw",
    "of-upper-bound": "share of its own upper bound",
    "calibrated": "calibrated (0 = floor, 1 = upper bound)",
    "calibrated-oracle": "calibrated on the oracle",
}


@drawn
def ladder(
    summaries: Mapping[str, pd.DataFrame],
    *,
    metric: str,
    controls: Sequence[str],
    scorings: Sequence[str] = ("calibrated", "of-upper-bound", "training"),
    selection: str = "argmin",
    limits: tuple[float, float] = (-0.35, 1.35),
) -> Figure:
    """Score of each control, one rung a control, one column a norm set, one colour and marker a scoring.

    Parameters
    ----------
    summaries
        By norm set: a table with control, scoring, selection, metric, estimate, low, high (`Scores.summary`).
    controls
        Rungs, from top to bottom.
    limits
        Scores beyond them are drawn as arrowheads at the edge: where floor and ceiling nearly meet, a calibrated score
        can be anything.
    """
    across = min(len(summaries), 2)  # more than two beside each other leave no room for the names of the controls
    down = -(-len(summaries) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(WIDTH, down * (0.3 * len(controls) + 0.9) + 0.6), sharey=True, squeeze=False
    )
    axes = grid.ravel()
    for unused in axes[len(summaries) :]:
        unused.set_visible(False)
    offsets = np.linspace(-0.22, 0.22, len(scorings)) if len(scorings) > 1 else [0.0]
    for axis, (name, summary) in zip(axes, summaries.items()):
        mine = summary[(summary["metric"] == metric) & (summary["selection"] == selection)]
        for edge in (0, 1):
            axis.axvline(edge, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        for scoring, offset, colour, marker in zip(scorings, offsets, PALETTE, MARKERS):
            rows = mine[mine["scoring"] == scoring].set_index("control").reindex(controls)
            y = np.arange(len(controls)) + offset
            low, high = (rows[side].clip(*limits) for side in ("low", "high"))
            axis.hlines(y, low, high, color=colour, linewidth=1.6, zorder=2)
            inside = rows["estimate"].between(*limits)
            style = {"color": colour, "markeredgecolor": SURFACE, "markeredgewidth": 0.6, "zorder": 3}
            axis.plot(rows["estimate"].where(inside), y, marker, label=LABELS[scoring], **style)
            for beyond, side, arrow in (
                (rows["estimate"] < limits[0], limits[0], "<"),
                (rows["estimate"] > limits[1], limits[1], ">"),
            ):
                if beyond.any():
                    axis.plot(np.full(beyond.sum(), side), y[beyond.to_numpy()], arrow, clip_on=False, **style)
        axis.set_xlim(*limits)
        axis.set_title(name)
        axis.set_xlabel(f"{metric}, by scoring")
        axis.grid(axis="y", color=GRID, linewidth=0.6)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    first = axes[0]
    first.set_yticks(range(len(controls)), controls)
    first.invert_yaxis()
    handles, labels = first.get_legend_handles_labels()
    narrow = {"columnspacing": 1.0, "handletextpad": 0.3}  # three labels side by side are as wide as the figure
    figure.legend(handles, labels, loc="outside lower center", ncols=len(scorings), labelcolor=INK, **narrow)
    return figure
