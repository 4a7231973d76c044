"""What evaluation protocols conclude where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import INK, PALETTE, WIDTH


@drawn
def operating_characteristic(
    rates: pd.DataFrame, *, protocols: Sequence[str], nulls: Sequence[str], doses: Sequence[str]
) -> Figure:
    """One row a protocol, one column a condition: how often it says yes, as a number on a ground as strong.

    Left of the gap a yes is an error, right of it a discovery; they differ in colour.

    Parameters
    ----------
    rates
        Columns protocol, condition, rate.
    """
    wide = rates.pivot_table(index="protocol", columns="condition", values="rate").reindex(protocols)
    columns = [(name, x + (0.6 if name in doses else 0)) for x, name in enumerate((*nulls, *doses))]
    figure, axis = plt.subplots(figsize=(WIDTH, 0.34 * len(protocols) + 1.6))
    for name, x in columns:
        colour = PALETTE[1] if name in nulls else PALETTE[0]
        for y, rate in enumerate(wide[name]):
            axis.scatter(x, y, s=420, color=colour, alpha=0.55 * rate, linewidths=0)
            told = f"{rate:.2f}".lstrip("0") if rate < 1 else "1"
            axis.text(x, y, told, ha="center", va="center", color=INK, fontsize=8)
    axis.set_xticks([x for _, x in columns], [name.replace(" ", "\n", 1) for name, _ in columns])
    axis.set_yticks(range(len(protocols)), protocols)
    axis.set_xlim(-0.6, columns[-1][1] + 0.6)
    axis.set_ylim(len(protocols) - 0.4, -0.6)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    for told, group in (("a yes is wrong", nulls), ("a yes is right", doses)):
        middle = sum(x for name, x in columns if name in group) / len(group)
        axis.annotate(told, (middle, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=INK)
    return figure
