"""`make readme`: write what came out into README.md, from the executed chapters and the committed reference results."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp import stopping  # noqa: E402  (found once the checkout is on the path)
from interp.claims.ledger import ledger  # noqa: E402
from interp.errors import InputError  # noqa: E402
from interp.files import write_text  # noqa: E402
from interp.report.ledger_page import ledger_markdown  # noqa: E402

BEGIN = "<!-- what came out: written by make readme -->\n"
END = "<!-- end -->\n"


def updated(text: str, chapters: Path) -> str:
    """The README's text with the outcomes of a folder of executed chapters."""
    before, after = text.split(BEGIN)
    return f"{before}{BEGIN}\n{ledger_markdown(ledger(chapters))}\n{END}{after.split(END)[1]}"


def main() -> int:
    """Bring README.md up to date."""
    file, chapters = ROOT / "README.md", ROOT / "book" / "chapters"
    if not any(chapters.glob("*.ipynb")):
        raise InputError("no chapter has been executed yet; run make book")
    write_text(file, updated(file.read_text(encoding="utf-8"), chapters))
    return 0


if __name__ == "__main__":
    sys.exit(stopping.exit_code(main, "README.md is as it was", folder=ROOT))
