"""Build the book strictly, with what its chapters found on the pages that tell it: any warning is an error."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from interp.files import refusal, remove, replace_folder, write_texts  # noqa: E402  (once the checkout is on the path)
from interp.report.editions import Edition  # noqa: E402


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
    texts = {f"{name}.txt": f"```{{raw}} html\n{content}\n```\n" for name, content in parts.items()}
    texts["comparison.txt"] = comparison.comparison_markdown()
    write_texts({folder / name: text for name, text in texts.items()})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", help="The book for this subject, in a folder of its own.")
    parser.add_argument("--where", action="store_true", help="Only print the folder of the built book.")
    options = parser.parse_args()
    edition = Edition(options.subject)
    if options.where:
        print(edition.html)
        return 0
    try:
        return build(edition)
    except OSError as error:
        if (why := refusal(error, None if error.filename else ROOT / edition.html)) is None:
            raise
        print(f"error: {why}", flush=True)
        return 2


def build(edition: Edition) -> int:
    """Build the pages beside the book that is there, and put them in its place when they are whole."""
    started = time.perf_counter()
    print("book: building the pages", flush=True)
    edition.prepare()
    write_parts(ROOT / edition.chapters)
    source, html = ROOT / edition.source, ROOT / edition.html
    new = html.with_name("pages")
    remove(new)  # where a build was killed
    new.mkdir(parents=True)
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
        *("--path-output", str(new)),
        str(source),
    ]
    done = subprocess.run(call, capture_output=True, text=True, cwd=source)
    if done.returncode:
        full = re.search(r"OSError: \[Errno (\d+)\]", done.stderr)
        if full:
            raise OSError(int(full[1]), os.strerror(int(full[1])), str(new))
        print(done.stdout[-3000:], done.stderr[-6000:], sep="\n")
        print("error: the book's pages have warnings (above)", flush=True)
        return done.returncode
    replace_folder(new / "_build" / "html", html)
    remove(new)
    print(f"book: pages built in {time.perf_counter() - started:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
