"""What feature norms look like as matrices."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from interp.report.style import LINES, PALETTE, WIDTH


def norms_overview(carriers: Mapping[str, np.ndarray], spectra: Mapping[str, np.ndarray]) -> Figure:
    """Left: how many concepts carry a feature, features ranked. Right: share of variance of the leading components.

    Parameters
    ----------
    carriers
        By norm set: concepts per feature.
    spectra
        By norm set: cumulated share of the variance of the centred matrix, by number of components.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    for (name, counts), colour, line in zip(carriers.items(), PALETTE, LINES):
        ranked = np.sort(counts)[::-1]
        left.plot(np.arange(1, len(ranked) + 1), ranked, color=colour, linestyle=line, label=name)
    left.set(xscale="log", yscale="log", xlabel="feature, by rank", ylabel="concepts that carry it")
    left.set_title("Most features are rare")
    for (name, share), colour, line in zip(spectra.items(), PALETTE, LINES):
        right.plot(np.arange(1, len(share) + 1), share, color=colour, linestyle=line, label=name)
    right.set(xlabel="principal components", ylabel="share of variance", ylim=(0, 1))
    right.set_title("How much few components hold")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
