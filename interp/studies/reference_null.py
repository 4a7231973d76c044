"""Permutation tests on the human norms and the embedded ones, for `make reference`."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from interp import reference, store
from interp.studies.permutation_null import permutation_null
from interp.verification import Compared, compared

NAME = "permutation-null"
"""Folder of these results in ``book/reference``."""

BEYOND_CATEGORY = "taxonomy-within"
"""Rows permuted within categories: the rule that the chapter *ground-truth* recommends."""


@dataclass(frozen=True)
class Planned:
    """One entry: a norm set, how its rows are permuted, and how often."""

    norms: str
    permutations: int = 499
    controls: tuple[str, ...] = ("shuffle-rows", BEYOND_CATEGORY)
    """Is there anything at all; and is there anything beyond the category?"""
    subject: str = "minilm"

    @property
    def entry(self) -> str:
        """Name of the entry."""
        return f"{self.subject}-{self.norms}"

    @property
    def name(self) -> str:
        """What it is called in `make reference ONLY=`."""
        return NAME if self.norms == "mcrae" else f"{NAME}-{self.norms}"

    def tests(self) -> pd.DataFrame:
        """One row a control and metric."""
        tables = [
            permutation_null(self.subject, self.norms, permutations=self.permutations, control=control)
            .table()
            .assign(control=control)
            for control in self.controls
        ]
        return pd.concat(tables, ignore_index=True).assign(norms=self.norms, subject=self.subject)

    def make(self) -> None:
        """Compute and write (blocks of permutations in the store are replayed)."""
        before = len(store.used)
        reference.write(
            NAME,
            self.entry,
            {"tests": self.tests()},
            command=f"make reference ONLY={self.name}",
            used=store.used[before:],
        )

    def again(self, *, whole: bool) -> Compared:
        """The observed scores computed anew, or every permutation, beside what is committed."""
        known = reference.load(NAME, "tests", [self.entry])
        if whole:
            # How many permutations were as good is what p tells.
            fresh = self.tests().drop(columns="as_good")
            return compared("every permutation", [(fresh, known, ("control", "metric"))])
        control = self.controls[-1]
        null = permutation_null(self.subject, self.norms, permutations=1, control=control)
        observed = pd.DataFrame({"metric": null.metrics, "observed": [null.observed(m) for m in null.metrics]})
        return compared("observed scores", [(observed, known[known["control"] == control], ("metric",))])


PLAN = (
    Planned("mcrae"),
    Planned("binder"),
    Planned("everyday"),
    # A permutation of 4,436 concepts takes as long as fifty of the others; 99 are enough for p = 0.01.
    Planned("buchanan", permutations=99, controls=(BEYOND_CATEGORY,)),
)
