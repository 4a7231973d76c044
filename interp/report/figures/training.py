"""How models were trained."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from interp.report.drawn import drawn
from interp.report.style import LINES, MARKERS, PALETTE, WIDTH


@drawn
def training_curves(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss by step, one line a model, one panel a text (held out, train).

    Parameters
    ----------
    curves
        By model: columns text, step, loss (see `studies.training_record`).
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.3), sharey=True)
    for axis, (text, title) in zip(axes, {"held out": "On held-out text", "train": "On training batches"}.items()):
        for (name, table), colour, line, marker in zip(curves.items(), PALETTE, LINES, MARKERS):
            mine = table[table["text"] == text]
            axis.plot(mine["step"], mine["loss"], color=colour, linestyle=line, marker=marker, markersize=4, label=name)
        axis.set_title(title)
        axis.set_xlabel("step")
    axes[0].set_ylabel("loss (nats a token)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5))
    return figure
