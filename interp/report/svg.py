"""Figures as SVG inside the page: they take the page's colours, its dark mode, and say in words what they show."""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING

from interp.report.style import GRID, INK, SURFACE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE_COLOURS = {
    INK: "var(--interp-ink, currentColor)",
    GRID: f"var(--interp-grid, {GRID})",
    SURFACE: f"var(--interp-surface, {SURFACE})",
}


def inline(figure: Figure, key: str, alt: str) -> str:
    """The figure as an ``<svg>`` element.

    Parameters
    ----------
    key
        A name unique on its page: prefixes every id, so that figures do not share clip paths.
    alt
        What the figure shows, in words.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<!--.*?-->\s*", "", drawn, flags=re.DOTALL)
    for colour, page in PAGE_COLOURS.items():
        drawn = drawn.replace(colour, page)
    drawn = prefixed(drawn, key)
    # One decimal of a point is finer than any screen; it halves the page. Inside tags only: labels keep their digits.
    drawn = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(-?\d+\.\d)\d+", r"\1", tag.group()), drawn)
    width, height = (float(re.search(rf'<svg[^>]*\b{x}="([\d.]+)pt"', drawn).group(1)) for x in ("width", "height"))  # type: ignore[union-attr]
    opening = (
        f'<svg class="interp-svg" role="img" aria-label="{html.escape(alt, quote=True)}" '
        f'viewBox="0 0 {width:g} {height:g}" style="width: {width / 72:.2f}in; max-width: 100%; height: auto" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, drawn, count=1, flags=re.DOTALL)


def prefixed(markup: str, prefix: str) -> str:
    """Markup with every id, and every reference to one, under a prefix: two figures of one key can share a page."""
    markup = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', markup)
    return re.sub(r'(href="|url\()#([^")]+)', rf"\1#{prefix}-\2", markup)


def standalone(figure: Figure, title: str) -> str:
    """The figure as an SVG file of its own, in its own colours on a light ground, with a title for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": title}, facecolor=SURFACE)
    return buffer.getvalue()
