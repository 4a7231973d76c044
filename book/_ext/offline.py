"""Keep every page inside the site: Jupyter Book always adds thebe, whose scripts name a foreign host."""

from __future__ import annotations

from typing import Any


def drop_thebe(_app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Take thebe's scripts out of a page, and scripts that extensions added twice."""
    seen: set[str] = set()
    kept = []
    for script in context["script_files"]:
        content = f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', '')}"
        if "thebe" not in content.lower() and content not in seen:
            kept.append(script)
            seen.add(content)
    context["script_files"] = kept


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx, after all extensions that add scripts."""
    app.connect("html-page-context", drop_thebe, priority=999)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
