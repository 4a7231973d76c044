"""What executed notebooks carry along in their outputs, beside what they show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def outputs(path: Path) -> list[dict[str, Any]]:
    """The data of every output of an executed notebook, by MIME type, in the order of the page."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [o["data"] for cell in notebook["cells"] for o in cell.get("outputs", []) if "data" in o]


def filed(path: Path, mime: str) -> list[Any]:
    """What the outputs of an executed notebook hold under one MIME type."""
    return [data[mime] for data in outputs(path) if mime in data]
