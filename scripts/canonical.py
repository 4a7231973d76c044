"""Chapters in their one committed form: MyST Markdown as Jupytext writes it, no outputs, no pairing metadata."""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp.files import write_text  # noqa: E402  (found once the checkout is on the path)
from interp.report.chapters import written  # noqa: E402


def canonical(text: str) -> str:
    """The text as Jupytext writes it, with nothing in its header but the kernel."""
    return written(jupytext.reads(text, fmt="md:myst"))


def main() -> int:
    check = "--check" in sys.argv[1:]
    wrong = []
    for path in sorted((ROOT / "notebooks").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if canonical(text) != text:
            wrong.append(path.name)
            if not check:
                write_text(path, canonical(text))
    if wrong and check:
        print(f"not in canonical form: {', '.join(wrong)} (make format)")
    return int(bool(wrong) and check)


if __name__ == "__main__":
    sys.exit(main())
