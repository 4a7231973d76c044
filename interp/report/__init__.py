"""What a reader sees: figures, tables, glued numbers, provenance, and the execution of chapters."""

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
