"""Attention maps, and what is left of them under perturbations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import GRID, LINES, MARKERS, MUTED, PALETTE, SURFACE, WIDTH


@drawn
def attention_maps(
    maps: Mapping[str, np.ndarray], tokens: Mapping[str, Sequence[str]], *, columns: int = 2, own_scale: bool = True
) -> Figure:
    """Maps side by side, queries down, keys across; dark is little, light is much.

    Parameters
    ----------
    maps, tokens
        By panel title: (query, key), and the tokens.
    own_scale
        Each map up to its own largest weight; else all up to the largest of all.
    """
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    size = WIDTH / columns
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, rows * (size + 0.1)), squeeze=False)
    top = max(float(m.max()) for m in maps.values())
    for axis in axes.flat[len(maps) :]:
        axis.set_visible(False)
    for axis, (title, map_) in zip(axes.flat, maps.items()):
        axis.imshow(map_, cmap="cividis", vmin=0, vmax=float(map_.max()) if own_scale else top, aspect="equal")
        names = [t if len(t) < 12 else f"{t[:10]}…" for t in tokens[title]]
        small = 7.5 if len(names) <= 16 else 6
        axis.set_xticks(range(len(names)), names, rotation=90, fontsize=small)
        axis.set_yticks(range(len(names)), names, fontsize=small)
        axis.tick_params(length=0, pad=2)
        axis.set_title(title, fontsize=9.5)
        for spine in axis.spines.values():
            spine.set_visible(False)
    return figure


@drawn
def kept_and_same(
    pooled: pd.DataFrame, *, rungs: Sequence[str], panels: Mapping[str, Mapping[str, str]], ends: tuple[str, str]
) -> Figure:
    """One rung a perturbation, one panel a question, one colour and marker a reading; dashed at 0 and 1.

    Parameters
    ----------
    pooled
        `attention.pooled`.
    panels
        By title: quantity -> label.
    ends
        The axis label of each panel.
    """
    mine = pooled[pooled["layer"] == 0].set_index(["quantity", "perturbation"])
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 0.34 * len(rungs) + 1.9), sharey=True, squeeze=False)
    for axis, (title, readings), label in zip(axes[0], panels.items(), ends):
        for edge in (0, 1):
            axis.axvline(edge, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        offsets = np.linspace(-0.2, 0.2, len(readings)) if len(readings) > 1 else [0.0]
        for (quantity, name), offset, colour, marker in zip(readings.items(), offsets, PALETTE, MARKERS):
            here = quantity in mine.index.get_level_values(0)
            rows = (
                mine.loc[quantity].reindex(rungs)
                if here
                else pd.DataFrame(index=rungs, columns=["value", "low", "high"])
            )
            y = np.arange(len(rungs)) + offset
            axis.hlines(y, rows["low"].astype(float), rows["high"].astype(float), color=colour, linewidth=1.6, zorder=2)
            axis.plot(
                rows["value"].astype(float), y, marker, color=colour, markeredgecolor=SURFACE, markeredgewidth=0.6,
                zorder=3, label=name,
            )  # fmt: skip
        axis.set_title(title)
        axis.set_xlabel(label)
        axis.grid(axis="y", color=GRID, linewidth=0.6)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.52 / (0.34 * len(rungs))), fontsize=8.5)
    axes[0, 0].set_yticks(range(len(rungs)), rungs)
    axes[0, 0].invert_yaxis()
    return figure


@drawn
def head_grid(values: Mapping[str, pd.Series], *, label: str, diverging: bool = False) -> Figure:
    """A value per layer (down) and head (across), one panel a subject or condition, the numbers in the cells.

    Parameters
    ----------
    values
        By title: a series indexed by (layer, head).
    diverging
        From -1 over 0 to 1, rather than from 0 to 1.
    """
    grids = {name: series.unstack("head") for name, series in values.items()}
    layers, heads = next(iter(grids.values())).shape
    figure, axes = plt.subplots(
        1, len(grids), figsize=(WIDTH, 0.3 * layers + 1.5), squeeze=False, sharey=True, layout="constrained"
    )
    low = -1 if diverging else 0
    shown: Any = None
    for axis, (title, grid) in zip(axes[0], grids.items()):
        shown = axis.imshow(grid, cmap="PuOr" if diverging else "cividis", vmin=low, vmax=1, aspect="auto")
        if layers * heads * len(grids) <= 220:
            for i, j in np.ndindex(layers, heads):
                value = float(np.clip(grid.iloc[i, j], low, 1))
                red, green, blue, _ = shown.cmap(shown.norm(value))
                light = 0.3 * red + 0.6 * green + 0.1 * blue > 0.5
                axis.text(
                    j, i, f"{grid.iloc[i, j]:z.1f}".replace("0.", "."), ha="center", va="center", fontsize=6.5,
                    color="#000000" if light else "#ffffff",
                )  # fmt: skip
        axis.set_title(title)
        axis.set_xlabel("head")
        axis.set_xticks(range(0, heads, max(1, heads // 6)), grid.columns[:: max(1, heads // 6)])
        axis.set_yticks(range(layers), grid.index)
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
    axes[0, 0].set_ylabel("layer")
    bar = figure.colorbar(shown, ax=axes[0].tolist(), shrink=0.8, pad=0.02, extend="both" if diverging else "neither")
    bar.outline.set_visible(False)
    bar.set_label(label)
    return figure


@drawn
def lines_by_layer(
    panels: Mapping[str, Mapping[str, pd.DataFrame]], *, ylabel: str, ends: tuple[float, float], marks: Sequence[float]
) -> Figure:
    """A value by layer, one line a table, one panel a group; bands are the tables' intervals.

    Parameters
    ----------
    panels
        By title: label -> table with layer (0 is left out), value, low, high.
    ends
        Of the axis.
    marks
        Where dashed lines go; the caption says what they mean.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(WIDTH, 3.3), sharey=True, squeeze=False)
    for axis, (title, lines) in zip(axes[0], panels.items()):
        for (name, table), colour, line, marker in zip(lines.items(), PALETTE, LINES, MARKERS):
            mine = table[table["layer"] > 0].sort_values("layer")
            axis.fill_between(mine["layer"], mine["low"], mine["high"], color=colour, alpha=0.2, linewidth=0)
            axis.plot(mine["layer"], mine["value"], color=colour, linestyle=line, marker=marker, label=name)
        for level in marks:
            axis.axhline(level, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axis.set_title(title)
        axis.set_xlabel("layer")
        axis.set_ylim(*ends)
        layers = sorted({int(x) for t in lines.values() for x in t["layer"] if x > 0})
        axis.set_xticks(layers if len(layers) <= 12 else layers[:: len(layers) // 6])
    axes[0, 0].set_ylabel(ylabel)
    if len({tuple(lines) for lines in panels.values()}) > 1:
        for axis in axes[0]:
            axis.legend(loc="upper left", fontsize=8.5)
        return figure
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels) if len(labels) <= 4 else 3)
    return figure
