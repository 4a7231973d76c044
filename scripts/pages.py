"""Build the book strictly, with what its chapters found on the pages that tell it: any warning is an error."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp.report.editions import Edition  # noqa: E402  (found once the checkout is on the path)


def write_parts(folder: Path) -> None:
    """What pages include from the executed chapters, and from sweeps: outcomes, the ladder, when each chapter ran."""
    from interp import reference, verification
    from interp.claims.ledger import ledger
    from interp.report import chapters, comparison, contents, executed, verified
    from interp.report.ledger_page import ledger_html

    runs = executed.records(folder)
    order = [name for name in contents.chapters() if name in runs]
    parts = {
        "ledger": ledger_html(ledger(folder)),
        "verified": verified.verified_html(verification.record(), reference.made()),
        "execution": executed.execution_html(runs, {name: chapters.title(name) for name in order}),
    }
    if "property-inference" in runs:  # a profile need not have every chapter
        parts["ladder"] = executed.figure(folder / "property-inference.ipynb", "ladder")
    for name, content in parts.items():
        (folder / f"{name}.txt").write_text(f"```{{raw}} html\n{content}\n```\n", encoding="utf-8")
    (folder / "comparison.txt").write_text(comparison.comparison_markdown(), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", help="The book for this subject, in a folder of its own.")
    parser.add_argument("--where", action="store_true", help="Only print the folder of the built book.")
    options = parser.parse_args()
    edition = Edition(options.subject)
    if options.where:
        print(edition.html)
        return 0
    started = time.perf_counter()
    print("book: building the pages", flush=True)
    edition.prepare()
    write_parts(ROOT / edition.chapters)
    source = ROOT / edition.source
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
        str(source),
    ]
    done = subprocess.run(call, capture_output=True, text=True, cwd=source)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-6000:], sep="\n")
        print("error: the book's pages have warnings (above)", flush=True)
        return done.returncode
    if edition.subject is not None:  # Jupyter Book builds beside what it reads
        shutil.rmtree(ROOT / edition.html, ignore_errors=True)
        (source / "_build" / "html").rename(ROOT / edition.html)
    print(f"book: pages built in {time.perf_counter() - started:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
