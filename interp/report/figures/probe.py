"""The relation probe: what each input scores, and what a coin scores in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import GRID, INK, MARKERS, MUTED, PALETTE, SURFACE, WIDTH

SPLIT_LABELS = {
    "ungrouped": "ungrouped (words and pairs seen)",
    "concepts": "concept unseen",
    "double": "double (neither noun seen)",
}
TASK_LABELS = {"hypernymy": "hypernymy", "coin": "a coin for each slot noun"}
CHANCE = 0.5
OFFSETS = (-0.15, 0.15)


@drawn
def probe_dots(
    scores: pd.DataFrame, *, panels: Mapping[str, str], published: float | None = None, splits: Sequence[str] = ()
) -> Figure:
    """Balanced accuracy of each input: rows are inputs, panels kinds of negatives, colour and marker the split.

    Parameters
    ----------
    scores
        A table with input, negatives, split, task, value, low, high (`studies.probe_scores`).
    panels
        Titles by kind of negatives.
    published
        A score from the literature to draw a line at.
    splits
        Which, in which order; all there are by default.
    """
    mine = scores[scores["task"] == "hypernymy"]
    inputs = list(dict.fromkeys(mine["input"]))
    splits = list(splits) or list(dict.fromkeys(mine["split"]))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (0.3 * len(inputs) + 0.55) + 0.6), sharey=True, sharex=True, squeeze=False
    )
    offsets = np.linspace(-0.24, 0.24, len(splits)) if len(splits) > 1 else [0.0]
    for axis, (kind, title) in zip(axes.flat, panels.items()):
        axis.axvline(CHANCE, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        if published is not None:
            axis.axvline(published, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        for split, offset, colour, marker in zip(splits, offsets, PALETTE, MARKERS):
            cell = mine[(mine["negatives"] == kind) & (mine["split"] == split)].set_index("input").reindex(inputs)
            _dots(axis, cell, np.arange(len(inputs)) + offset, colour, marker, SPLIT_LABELS.get(split, split))
        for border in _borders(inputs):
            axis.axhline(border, color=MUTED, linewidth=0.6)
        axis.set_title(title)
        _tidy(axis)
    for axis in axes[-1]:
        axis.set_xlabel("balanced accuracy")
    axes[0, 0].set_yticks(range(len(inputs)), inputs)
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_xlim(0, 1.03)
    axes[0, 0].set_xticks((0.1, 0.3, 0.5, 0.7, 0.9))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(splits), labelcolor=INK)
    return figure


@drawn
def probe_selectivity(scores: pd.DataFrame, *, rows: Mapping[str, str], input: str = "attention") -> Figure:
    """The relation against the coin, joined by a line as wide as the selectivity; one panel per split.

    Parameters
    ----------
    rows
        Labels by kind of negatives.
    input
        What the probe reads.
    """
    mine = scores[scores["input"] == input]
    splits = list(dict.fromkeys(mine["split"]))
    figure, axes = plt.subplots(
        1, len(splits), figsize=(WIDTH, 0.42 * len(rows) + 1.3), sharey=True, sharex=True, squeeze=False
    )
    for axis, split in zip(axes[0], splits):
        axis.axvline(CHANCE, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        cells = {
            task: mine[(mine["split"] == split) & (mine["task"] == task)].set_index("negatives").reindex(list(rows))
            for task in TASK_LABELS
        }
        y = np.arange(len(rows))
        for (task, cell), offset, colour, marker in zip(cells.items(), OFFSETS, PALETTE, MARKERS):
            _dots(axis, cell, y + offset, colour, marker, TASK_LABELS[task])
        ends = np.stack([cell["value"] for cell in cells.values()])
        axis.plot(ends, y + np.array(OFFSETS)[:, None], color=MUTED, linewidth=0.9, zorder=1)
        axis.set_title(SPLIT_LABELS.get(split, split).split(" (")[0])
        axis.set_xlabel("balanced accuracy")
        _tidy(axis)
    axes[0, 0].set_yticks(range(len(rows)), list(rows.values()))
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_xlim(min(0.45, mine["low"][mine["task"] != "selectivity"].min()) - 0.03, 1.03)
    axes[0, 0].set_xticks([0.5, 0.75, 1.0])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, labelcolor=INK)
    return figure


def _borders(inputs: Sequence[str]) -> list[float]:
    """Between the attention under test, attention that cannot know, and what is no attention."""
    groups = [(name == "attention", name.startswith("attention")) for name in inputs]
    return [i + 0.5 for i in range(len(groups) - 1) if groups[i] != groups[i + 1]]


def _dots(axis: plt.Axes, cell: pd.DataFrame, y: np.ndarray, colour: str, marker: str, label: str) -> None:
    axis.hlines(y, cell["low"], cell["high"], color=colour, linewidth=1.6, zorder=2)
    axis.plot(
        cell["value"], y, marker, color=colour, markeredgecolor=SURFACE, markeredgewidth=0.6, zorder=3, label=label
    )


def _tidy(axis: plt.Axes) -> None:
    axis.grid(axis="y", color=GRID, linewidth=0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
