"""What happens to a token along the depth of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import LINES, MARKERS, MUTED, PALETTE, WIDTH


@drawn
def own_share_by_depth(
    tables: Mapping[str, pd.DataFrame], *, panels: Sequence[tuple[str, str]], half: bool = True
) -> Figure:
    """A quantity by layer, one line a subject, one panel a (method, quantity); bands 95 % over texts.

    Parameters
    ----------
    tables
        By subject: `residual.pooled` tables.
    half
        Mark one half, the paper's "mostly".
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 3.2), sharey=True, squeeze=False)
    for axis, (method, quantity) in zip(axes[0], panels):
        for (name, table), colour, line, marker in zip(tables.items(), PALETTE, LINES, MARKERS):
            mine = table[(table["method"] == method) & (table["quantity"] == quantity)].sort_values("layer")
            axis.fill_between(mine["layer"], mine["low"], mine["high"], color=colour, alpha=0.2, linewidth=0)
            axis.plot(mine["layer"], mine["value"], color=colour, linestyle=line, marker=marker, label=name)
            even = table[(table["method"] == method) & (table["quantity"] == "uniform attention")]
            if len(even) and quantity == "own share, cumulated":
                axis.plot(even["layer"], even["value"], color=MUTED, linestyle=":", zorder=1)
        if half:
            axis.axhline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axis.set_title(f"{method}\n{quantity}")
        axis.set_xlabel("after block")
        axis.set_ylim(0, 1)
        layers = sorted({int(x) for t in tables.values() for x in t["layer"]})
        axis.set_xticks(layers if len(layers) <= 7 else layers[:: -(-len(layers) // 7)])
    axes[0, 0].set_ylabel("share of the position")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(tables), 4))
    return figure


@drawn
def methods_by_depth(tables: Mapping[str, pd.DataFrame], *, methods: Sequence[str], quantity: str) -> Figure:
    """A quantity by layer, one panel a subject, one line a method; bands 95 % over texts.

    `weights`, which carries no verdict, is drawn muted.
    """
    figure, axes = plt.subplots(1, len(tables), figsize=(WIDTH, 3.4), sharey=True, squeeze=False)
    looks = dict(zip([m for m in methods if m != "weights"], zip(PALETTE, LINES, MARKERS)))
    looks["weights"] = (MUTED, "-", "x")
    for axis, (name, table) in zip(axes[0], tables.items()):
        for method in methods:
            colour, line, marker = looks[method]
            mine = table[(table["method"] == method) & (table["quantity"] == quantity)].sort_values("layer")
            axis.fill_between(mine["layer"], mine["low"], mine["high"], color=colour, alpha=0.15, linewidth=0)
            axis.plot(
                mine["layer"], mine["value"], color=colour, linestyle=line, marker=marker, markersize=4, label=method
            )
        _depth_axis(axis, table["layer"], name)
    axes[0, 0].set_ylabel(quantity)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _depth_axis(axis: Axes, layers: pd.Series, title: str) -> None:
    """From 0 to 1 over blocks, one half marked."""
    axis.axhline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axis.set_title(title)
    axis.set_xlabel("after block")
    axis.set_ylim(0, 1.02)
    ticks = sorted({int(x) for x in layers})
    axis.set_xticks(ticks if len(ticks) <= 7 else ticks[:: -(-len(ticks) // 7)])


@drawn
def token_map(own: np.ndarray, tokens: Sequence[str]) -> Figure:
    """Own share of each token of one text (columns) after each block (rows), with the numbers in the cells."""
    layers, count = own.shape
    figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * layers + 1.3))
    axis.imshow(own, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for i in range(layers):
        for j in range(count):
            axis.text(
                j, i, f"{own[i, j]:.2f}"[1:] if own[i, j] < 1 else "1", ha="center", va="center", fontsize=7.5,
                color="#ffffff" if own[i, j] < 0.55 else "#000000",
            )  # fmt: skip
    axis.set_xticks(range(count), tokens, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(layers), [str(i + 1) for i in range(layers)])
    axis.set_ylabel("after block")
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return figure
