"""What a reader sees: figures, tables, glued numbers, provenance, and the execution of chapters.

What a chapter calls is imported on first use: whoever only runs chapters or reads the contents (the command line, the
Snakefile) waits for neither torch nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interp.report.page import begin, end, glue, ratio, show_figure, show_reference, show_table, show_verdicts
    from interp.resampling import with_interval

__all__ = [
    "begin",
    "end",
    "glue",
    "ratio",
    "show_figure",
    "show_reference",
    "show_table",
    "show_verdicts",
    "with_interval",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("interp.resampling" if name == "with_interval" else "interp.report.page"), name)
    raise AttributeError(f"module 'interp.report' has no attribute {name!r}")
