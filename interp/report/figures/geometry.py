"""What the shape of norms does to scores."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interp import geometry
from interp.report.drawn import drawn
from interp.report.style import INK, LINES, MARKERS, MUTED, PALETTE, SURFACE, WIDTH


@drawn
def spectra(table: pd.DataFrame) -> Figure:
    """Share of the variance that the leading components hold, one panel a norm set, one line a kind of targets.

    Parameters
    ----------
    table
        Columns norms, targets, components, share (`studies.norm_shapes`).
    """
    names = list(dict.fromkeys(table["norms"]))
    figure, axes = plt.subplots(1, len(names), figsize=(WIDTH, 3.2), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], names):
        mine = table[table["norms"] == name]
        for (targets, rows), colour, line in zip(mine.groupby("targets", sort=False), PALETTE, LINES):
            axis.plot(rows["components"], rows["share"], color=colour, linestyle=line, label=targets)
        axis.set(title=name, xscale="log", xlabel="principal components", ylim=(0, 1))
    axes[0, 0].set_ylabel("share of variance")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


@drawn
def reach_of_rho(shapes: pd.DataFrame, scores: pd.DataFrame, ratings: pd.DataFrame) -> Figure:
    """Left: the best rho by density. Right: the rho of the mean vector by how much features differ in their means.

    Parameters
    ----------
    shapes
        One row a norm set: norms, density, between features, best rho.
    scores
        Columns norms, what (``mean vector`` or ``embedding``), estimate, low, high: held-out raw rho.
    ratings
        Columns between, estimate, low, high: the mean vector on synthetic ratings.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.5), sharey=True)
    grid = np.geomspace(min(0.001, shapes["density"].min()), 0.9999, 300)
    left.plot(grid, geometry.best_rho_at(grid), color=INK, label="best possible")
    left.axhline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    left.axvline(geometry.density_for_rho(0.5), color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    share = np.linspace(0, 1, 200)
    right.plot(share, geometry.rho_of_means(share), color=INK)
    right.axhline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    _bars(right, ratings["between"], ratings, PALETTE[1], MARKERS[1], "mean vector, synthetic ratings")
    for what, colour, marker in (("mean vector", PALETTE[0], MARKERS[0]), ("embedding", PALETTE[2], MARKERS[2])):
        mine = scores[scores["what"] == what].merge(shapes, on="norms")
        _bars(left, mine["density"], mine, colour, marker, what)
        if what == "mean vector":
            _bars(right, mine["between features"], mine, colour, marker)
    for _, shape in shapes.iterrows():
        top = float(geometry.best_rho_at(shape["density"]))
        beside = (6, -3) if shape["density"] < 0.5 else (-8, -14)
        left.annotate(
            shape["norms"], (shape["density"], top), xytext=beside, textcoords="offset points", fontsize=8,
            ha="left" if shape["density"] < 0.5 else "right",
        )  # fmt: skip
    left.set(xscale="log", xlabel="density: share of cells > 0", ylabel="Spearman's rho", ylim=(-0.12, 1.04))
    left.set_title("What ties allow")
    right.set(xlabel="share of variance between features")
    right.set_title("What a mean vector gets")
    (handles, labels), (more, names) = left.get_legend_handles_labels(), right.get_legend_handles_labels()
    figure.legend([*handles, *more], [*labels, *names], loc="outside lower center", ncols=2)
    return figure


def _bars(axis: Axes, x: pd.Series, rows: pd.DataFrame, colour: str, marker: str, label: str | None = None) -> None:
    """Estimates with their intervals."""
    axis.vlines(x, rows["low"], rows["high"], color=colour, linewidth=1.6, zorder=2)
    axis.plot(
        x, rows["estimate"], marker, color=colour, markeredgecolor=SURFACE, markeredgewidth=0.6, zorder=3, label=label
    )


@drawn
def synthetic_sweep(table: pd.DataFrame, *, along: str, label: str, metrics: Sequence[str], linked: float) -> Figure:
    """Scores on synthetic norms along one of their properties: raw above, calibrated below, one column a metric.

    Parameters
    ----------
    table
        Columns alpha, input, scoring, metric, estimate, low, high and `along` (`studies.synthetic_scores`).
    along, label
        The column on the horizontal axis, and what to call it.
    linked
        The alpha of the norms that are linked to the embeddings; the others are not linked at all.
    """
    figure, axes = plt.subplots(2, len(metrics), figsize=(WIDTH, 4.6), sharex=True, squeeze=False)
    lines = {"embedding, no link": ("embedding", 0.0), "embedding, linked": ("embedding", linked)}
    lines["noise, linked"] = ("noise", linked)
    at = sorted(set(table[along]))
    ticks = at[:: max(1, len(at) // 3)]
    for column, metric in enumerate(metrics):
        for row, scoring in enumerate(("held-out", "calibrated")):
            axis = axes[row, column]
            rows = table[(table["metric"] == metric) & (table["scoring"] == scoring)].sort_values(along)
            references = rows[rows["alpha"] == linked]
            for name, dashes in (("floor", "--"), ("ceiling", ":")):
                mine = references[references["input"] == name]
                if len(mine):
                    axis.plot(mine[along], mine["estimate"], color=MUTED, linestyle=dashes, label=name, zorder=1)
            for (name, (source, alpha)), colour, marker, line in zip(lines.items(), PALETTE, MARKERS, LINES):
                mine = rows[(rows["input"] == source) & (rows["alpha"] == alpha)]
                axis.fill_between(mine[along], mine["low"], mine["high"], color=colour, alpha=0.18, linewidth=0)
                axis.plot(
                    mine[along], mine["estimate"], color=colour, marker=marker, linestyle=line, label=name, markersize=4
                )
            if scoring == "calibrated":
                for edge in (0, 1):
                    axis.axhline(edge, color=MUTED, linewidth=0.9, linestyle=("--", ":")[edge], zorder=1)
                axis.set_ylim(-0.25, 1.1)
                axis.set_xlabel(label)
            axis.set_xscale("log")
            axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
            axis.set_xticks([], minor=True)
        axes[0, column].set_title(metric)
    axes[0, 0].set_ylabel("held-out, raw")
    axes[1, 0].set_ylabel("calibrated")
    for axis in axes[1, 1:]:
        axis.tick_params(labelleft=False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
