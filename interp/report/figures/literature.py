"""Our numbers among published ones."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import GRID, MUTED, PALETTE, WIDTH


@drawn
def literature_band(
    published: Mapping[str, tuple[float, float]],
    ours: Mapping[str, pd.Series],
    *,
    label: str,
    band: tuple[float, float] = (0.32, 0.36),
) -> Figure:
    """Published ranges as grey squares, ours as coloured dots with their intervals, one row each.

    Parameters
    ----------
    published
        Lowest and highest value reported, by source.
    ours
        `estimate`, `low` and `high`, by name.
    band
        The range that the literature has stayed in, shaded.
    """
    names = [*published, *ours]
    figure, axis = plt.subplots(figsize=(WIDTH, 0.3 * len(names) + 1.0))
    axis.axvspan(*band, color=MUTED, alpha=0.18, linewidth=0)
    for y, (low, high) in enumerate(published.values()):
        axis.hlines(y, low, high, color=MUTED, linewidth=1.6)
        axis.plot((low + high) / 2, y, "s", color=MUTED)
    for y, value in enumerate(ours.values(), len(published)):
        axis.hlines(y, value["low"], value["high"], color=PALETTE[0], linewidth=1.6)
        axis.plot(value["estimate"], y, "o", color=PALETTE[0])
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlim(left=0)
    axis.grid(axis="y", color=GRID, linewidth=0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(label)
    return figure
