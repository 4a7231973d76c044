"""One look for all figures: a palette that colour-blind readers tell apart, legible on light and dark pages."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns

INK = "#1f2328"
"""Text and axes; becomes the page's own text colour."""
GRID = "#d0d7de"
"""Grid and hairlines; becomes the page's own line colour."""
SURFACE = "#fdfdfe"
"""Behind marks; becomes the page's own background."""
MUTED = "#7d8590"
"""References and things of lesser weight."""

PALETTE = ("#2f7fc1", "#d1603d", "#1f9e77", "#a06cc4", "#c08a00", "#d0558f")
"""Blue, vermilion, green, purple, ochre, pink: about equally far from white and from black."""

MARKERS = ("o", "s", "D", "^", "v", "P")
"""Together with the colours, so that nothing is told by colour alone."""

LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))

WIDTH = 7.2
"""Inches of a figure as wide as the text."""


def apply() -> None:
    """Set matplotlib and seaborn up; the bytes of a figure depend on nothing but its content."""
    sns.set_theme(style="ticks", palette=PALETTE)
    mpl.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "interp",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9.5,
            "axes.titlesize": 10.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 9.5,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": GRID,
            "grid.linewidth": 0.7,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.8,
            "lines.linewidth": 1.6,
            "lines.markersize": 5,
            "figure.constrained_layout.use": True,
        }
    )
