"""Replication of *LLMs Explain't* (arXiv 2601.22928): subjects, norms, controls, inference, residual, claims.

Subpackages are imported on first use, so that `import interp` and the command line answer at once and torch is
loaded only by what needs it.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"
__all__ = ["claims", "controls", "corpora", "inference", "norms", "report", "residual", "subjects"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"interp.{name}")
    raise AttributeError(f"module 'interp' has no attribute {name!r}")
