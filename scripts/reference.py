"""`make reference`: compute the results that the book shows on every machine, and write them to book/reference/.

Interrupt it whenever you like: every control, seed and measurement is a stored result, and the next call goes on from
there. Chapters are executed as profile `norms` has them, with all texts and the human norms.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from interp import reference, stopping
from interp.errors import InputError
from interp.registry import unknown
from interp.report import full_size
from interp.store import Unkept
from interp.studies import reference_ground_truth, reference_norms, reference_null, reference_scores


def main() -> int:
    planned: dict[str, Callable[[], None]] = {reference_norms.NAME: reference_norms.make}
    for p in reference_scores.PLAN:
        planned[p.entry] = partial(reference_scores.make, p)
    planned[reference_scores.COMPARISONS] = reference_scores.make_comparisons
    planned[reference_ground_truth.NAME] = reference_ground_truth.make
    planned |= {tests.name: tests.make for tests in reference_null.PLAN}
    for chapter in full_size.plan():
        planned[full_size.entry_name(chapter)] = partial(full_size.make, chapter)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="ENTRY", help=f"some of: {', '.join(planned)}")
    parser.add_argument("--tied", action="store_true", help="End when the process that started this one does (make).")
    options = parser.parse_args()
    kept = "what was finished is kept, and `make reference` goes on from there"
    chosen = options.only or list(planned)
    return stopping.exit_code(lambda: make(planned, chosen), kept, tied=options.tied, folder=reference.folder())


def make(planned: Mapping[str, Callable[[], None]], chosen: Sequence[str]) -> int:
    """Compute and write the chosen ones.

    Raises
    ------
    InputError
        For one that is not planned, and where results cannot be kept.
    OSError
        As the file system gives it.
    """
    for entry in chosen:
        if entry not in planned:
            raise InputError(unknown("reference result", entry, list(planned)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", Unkept)  # hours that are not kept are hours lost
        for entry in chosen:
            started = time.perf_counter()
            try:
                planned[entry]()
            except Unkept as warning:
                raise InputError(str(warning)) from None
            print(f"{entry}: written, {time.perf_counter() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
