"""`make verify`: compute reference results anew, in a fresh store, and hold them against what is committed.

By default a sample of each, in minutes; `ALL=1` takes everything (hours), `ONLY=minilm-mcrae-plsr` one entry whole.
What came out is entered into book/reference/verified.json, which the execution page shows.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from interp import reference, stopping, verification
from interp.errors import InputError
from interp.registry import unknown
from interp.report import full_size
from interp.studies import reference_ground_truth, reference_norms, reference_null, reference_scores
from interp.verification import Compared

MINUTES = 2
"""A chapter whose results took no longer than this is in the sample."""

Check = Callable[[], Compared]


def checks() -> dict[str, tuple[Check, Check | None]]:
    """For each entry, by the name it has in `make reference ONLY=`: the whole of it, and its part in the sample."""
    made = reference.entries(reference_null.NAME)
    found: dict[str, tuple[Check, Check | None]] = {reference_norms.NAME: (reference_norms.again,) * 2}
    for p in reference_scores.PLAN:
        sample = reference_scores.SAMPLE.get(p.entry)
        part = partial(reference_scores.again, p, sample) if sample else None
        found[p.entry] = (partial(reference_scores.again, p), part)
    found[reference_scores.COMPARISONS] = (reference_scores.comparisons_again, None)
    parts = {reference_ground_truth.NAME: reference_ground_truth.again}
    parts |= {tests.name: tests.again for tests in reference_null.PLAN if tests.entry in made}
    found |= {name: (partial(again, whole=True), partial(again, whole=False)) for name, again in parts.items()}
    for entry in reference.entries(full_size.NAME):
        known = reference.meta(full_size.NAME, entry)
        check = partial(full_size.again, entry)
        found[full_size.entry_name(known["chapter"])] = (check, check if known["seconds"] <= 60 * MINUTES else None)
    return found


def verify(chosen: dict[str, Check]) -> bool:
    """Compute each anew, tell and record what came out; whether all are the same."""
    width = max(map(len, chosen))
    same = True
    print(f"{'entry':{width}}  {'largest difference':>18}  {'of p-values':>11}  {'':7}  computed anew", flush=True)
    for name, check in chosen.items():
        started = time.perf_counter()
        found = check()
        verification.note(name, found)
        same &= found.ok
        told = "ok" if found.ok else "DIFFERS"
        took = time.perf_counter() - started
        numbers = f"{name:{width}}  {found.largest:18.1e}  {found.largest_p:11.1e}  {told:7}"
        print(f"{numbers}  {found.what} (tolerance {found.tolerance:.0e}; {took:.0f} s)", flush=True)
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--all", action="store_true", help="everything, not only a sample (hours)")
    choice.add_argument("--only", nargs="*", metavar="ENTRY", help="these entries, whole")
    options = parser.parse_args()
    return stopping.exit_code(lambda: run(options), "what was verified is recorded")


def run(options: argparse.Namespace) -> int:
    """Verify what is asked for, and say what was left out.

    Raises
    ------
    InputError
        For an entry that is not there.
    """
    known = checks()
    for entry in options.only or ():
        if entry not in known:
            raise InputError(unknown("reference result", entry, list(known)))
    if options.only or options.all:
        chosen = {name: known[name][0] for name in options.only or known}
    else:
        chosen = {name: part for name, (_, part) in known.items() if part is not None}
    with tempfile.TemporaryDirectory() as fresh:
        os.environ["INTERP_RESULTS"] = fresh  # nothing is replayed
        same = verify(chosen)
    others = [entry for entry, meta in reference.made().items() if not meta["command"].startswith("make reference")]
    if others:
        print(f"made by another command, and not computed anew here: {', '.join(others)}")
    left = [name for name in known if name not in chosen]
    if left:
        print(f"not computed anew: {', '.join(left)} (ALL=1, or ONLY=... for one)")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
