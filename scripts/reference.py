"""`make reference`: compute the results that the book shows on every machine, and write them to book/reference/.

Interrupt it whenever you like: every control, seed and measurement is a stored result, and the next call goes on from
there. Chapters are executed as profile `norms` has them, with all texts and the human norms.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from interp.errors import InputError
from interp.registry import unknown
from interp.report import full_size
from interp.studies import reference_ground_truth, reference_norms, reference_null, reference_scores


def main() -> int:
    planned: dict[str, Callable[[], None]] = {reference_norms.NAME: reference_norms.make}
    for p in reference_scores.PLAN:
        planned[p.entry] = partial(reference_scores.make, p)
    planned[reference_scores.COMPARISONS] = reference_scores.make_comparisons
    planned[reference_ground_truth.NAME] = reference_ground_truth.make
    planned[reference_null.NAME] = reference_null.make
    for chapter in full_size.plan():
        planned[full_size.entry_name(chapter)] = partial(full_size.make, chapter)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="ENTRY", help=f"some of: {', '.join(planned)}")
    options = parser.parse_args()
    try:
        for entry in options.only or planned:
            if entry not in planned:
                raise InputError(unknown("reference result", entry, list(planned)))
        for entry in options.only or planned:
            started = time.perf_counter()
            planned[entry]()
            print(f"{entry}: written, {time.perf_counter() - started:.0f} s", flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, and `make reference` goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
