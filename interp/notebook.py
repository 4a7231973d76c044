"""What executed notebooks carry along in their outputs, beside what they show."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any


def outputs(path: Path) -> list[dict[str, Any]]:
    """The data of every output of an executed notebook, by MIME type, in the order of the page."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [o["data"] for cell in notebook["cells"] for o in cell.get("outputs", []) if "data" in o]


GLUED = "application/papermill.record/text/plain"
"""What a value that a chapter names for its prose is kept under."""


def glued(path: Path) -> dict[str, Any]:
    """The numbers and words that an executed notebook names for its prose, by name."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return {
        o["metadata"]["scrapbook"]["name"]: _plain("".join(o["data"][GLUED]))
        for cell in notebook["cells"]
        for o in cell.get("outputs", [])
        if GLUED in o.get("data", {})
    }


def _plain(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except ValueError:
        return float(text)  # nan and inf are no literals


def filed(path: Path, mime: str) -> list[Any]:
    """What the outputs of an executed notebook hold under one MIME type."""
    return [data[mime] for data in outputs(path) if mime in data]
