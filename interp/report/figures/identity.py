"""Whether a hidden state can still be matched to its token, by depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import LINES, MARKERS, MUTED, PALETTE, WIDTH


@drawn
def identity_by_depth(
    tables: Mapping[str, pd.DataFrame],
    *,
    panels: Mapping[str, Mapping[str, str]],
    label: str,
    mark: float | None = None,
) -> Figure:
    """One panel a row selection of `residual.pooled` identity tables, one line a subject; bands 95 % over texts.

    Parameters
    ----------
    panels
        By title: the columns' values that choose a panel's rows (target, view, measure, types).
    label
        Of the y axis.
    mark
        A threshold to draw.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 3.3), sharey=True, squeeze=False)
    for axis, (title, where) in zip(axes[0], panels.items()):
        for (name, table), colour, line, marker in zip(tables.items(), PALETTE, LINES, MARKERS):
            mine = table[(table[list(where)] == pd.Series(where)).all(axis=1)].sort_values("layer")
            axis.fill_between(mine["layer"], mine["low"], mine["high"], color=colour, alpha=0.2, linewidth=0)
            axis.plot(mine["layer"], mine["value"], color=colour, linestyle=line, marker=marker, label=name)
        if mark is not None:
            axis.axhline(mark, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axis.set_title(title)
        axis.set_xlabel("after block (0: input)")
        axis.set_ylim(-0.02, 1.04)
        layers = sorted({int(x) for t in tables.values() for x in t["layer"]})
        axis.set_xticks(layers if len(layers) <= 7 else layers[:: -(-len(layers) // 7)])
    axes[0, 0].set_ylabel(label)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(tables), 3))
    return figure


@drawn
def two_depths(lines: Mapping[str, pd.DataFrame], *, thresholds: Sequence[float], title: str) -> Figure:
    """Shares and retrieval of one subject on one axis, with the thresholds they are held against.

    Parameters
    ----------
    lines
        By label: columns layer, value, low, high.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.6))
    for (name, mine), colour, line, marker in zip(lines.items(), PALETTE, LINES, MARKERS):
        mine = mine.sort_values("layer")
        axis.fill_between(mine["layer"], mine["low"], mine["high"], color=colour, alpha=0.2, linewidth=0)
        axis.plot(mine["layer"], mine["value"], color=colour, linestyle=line, marker=marker, label=name)
    for threshold in thresholds:
        axis.axhline(threshold, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axis.set_title(title)
    axis.set_xlabel("after block (0: input)")
    axis.set_ylabel("share, or share retrieved")
    axis.set_ylim(0, 1.04)
    layers = sorted({int(x) for t in lines.values() for x in t["layer"]})
    axis.set_xticks(layers if len(layers) <= 13 else layers[::2])
    figure.legend(loc="outside lower center", ncols=2)
    return figure
