"""Build the book strictly, with what its chapters found on the pages that tell it: any warning is an error."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CHAPTERS = ROOT / "book" / "chapters"


def write_parts() -> None:
    """What pages include from the executed chapters: the outcomes, the ladder, when and how each chapter ran."""
    from interp.claims.ledger import ledger
    from interp.report import chapters, executed
    from interp.report.ledger_page import ledger_html

    runs = executed.records(CHAPTERS)
    order = [name for name in chapters.in_order() if name in runs]
    parts = {
        "ledger": ledger_html(ledger(CHAPTERS)),
        "ladder": executed.figure(CHAPTERS / "property-inference.ipynb", "ladder"),
        "execution": executed.execution_html(runs, {name: chapters.title(name) for name in order}),
    }
    for name, content in parts.items():
        (CHAPTERS / f"{name}.txt").write_text(f"```{{raw}} html\n{content}\n```\n", encoding="utf-8")


def main() -> int:
    started = time.perf_counter()
    print("book: building the pages", flush=True)
    write_parts()
    call = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        "-W",
        "-n",
        "--keep-going",
        "-q",
        "--all",
        str(ROOT),
    ]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-6000:], sep="\n")
        print("error: the book's pages have warnings (above)", flush=True)
        return done.returncode
    print(f"book: pages built in {time.perf_counter() - started:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
