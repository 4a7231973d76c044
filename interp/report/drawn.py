"""Which function drew a figure, and where a reader finds that function at the commit that ran."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import yaml

from interp.profile import project_root
from interp.report.provenance import full_commit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

PACKAGE = Path(__file__).resolve().parents[2]
"""The folder that holds ``interp``."""

_places: weakref.WeakKeyDictionary[Figure, str] = weakref.WeakKeyDictionary()


def drawn(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Note of each figure that `draw` makes which file and lines drew it."""
    lines, first = inspect.getsourcelines(draw)
    path = Path(inspect.getfile(draw)).resolve().relative_to(PACKAGE).as_posix()
    place = f"{path}#L{first}-L{first + len(lines) - 1}"

    @functools.wraps(draw)
    def noted(*args: P.args, **kwargs: P.kwargs) -> Figure:
        figure = draw(*args, **kwargs)
        _places[figure] = place
        return figure

    return noted


def address() -> str:
    """The repository's address: ``repository: url`` of ``_config.yml``, the one place where it is set."""
    config = yaml.safe_load((project_root() / "_config.yml").read_text(encoding="utf-8"))
    return str(config["repository"]["url"]).rstrip("/")


def source_link(figure: Figure) -> str | None:
    """The address of the lines that drew `figure`, at this commit; None of a figure that no `drawn` function made."""
    place = _places.get(figure)
    return f"{address()}/blob/{full_commit()}/{place}" if place else None
