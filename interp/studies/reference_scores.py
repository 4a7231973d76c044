"""The scores of every control on the human norms, for `make reference`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from interp import claims, reference, store
from interp.claims import ledger
from interp.controls import CONTROLS
from interp.inference import Scores, protocols
from interp.resampling import crossing, interval
from interp.studies.property_inference import property_scores
from interp.verification import Compared, compared

NAME = "property-inference"
"""Folder of these results in ``book/reference``."""

COMPARISONS = "minilm-compared"
"""The entry of what takes several norm sets or mappings."""

SELECTIONS = ("argmin", "elbow", "one-se", "20", "50")
BEYOND = {"mean-vector": "prevalence", "random-lookup": "spelling", "taxonomy-within": "category"}
"""What the original has to be better than, to hold more than the name says."""

COMPARED = ("original", "upper-bound", "mean-vector", "noise", "shuffle-rows")
"""What the comparison of norm sets and of mappings looks at."""

TAXONOMIC = ("original", "taxonomy-within", "taxonomy-between")
"""What rests on the taxonomy is also scored without the uncategorised concepts (PROTOCOL 2)."""


@dataclass(frozen=True)
class Planned:
    """One entry of the reference: every control on a norm set, a mapping, and how often the folds are dealt."""

    norms: str
    mapping: str
    seeds: int
    also_categorised: bool = True
    """Whether the taxonomic controls are also scored on the categorised concepts alone (with PLSR)."""
    subject: str = "minilm"

    @property
    def entry(self) -> str:
        """Name of the entry."""
        return f"{self.subject}-{self.norms}-{self.mapping}"


PLAN = (
    Planned("everyday", "plsr", 1),
    Planned("mcrae", "plsr", 5),
    Planned("binder", "plsr", 5),
    Planned("buchanan", "plsr", 3, also_categorised=False),
    Planned("mcrae", "ffnn", 5),
    Planned("binder", "ffnn", 5),
    Planned("buchanan", "ffnn", 3),  # a deal takes a hundred minutes of one core
)
"""What is committed, and so what `make reference` computes: every control; more seeds are more of the same."""


def scores(planned: Planned) -> dict[str, Scores]:
    """All controls on all concepts, and the taxonomic ones on the categorised concepts (with PLSR)."""

    found = {"all": _run(planned, tuple(CONTROLS))}
    if planned.mapping == "plsr" and planned.also_categorised:
        found["categorised"] = _run(planned, TAXONOMIC, only_categorised=True)
    return found


def _run(planned: Planned, controls: tuple[str, ...], *, only_categorised: bool = False) -> Scores:
    return property_scores(
        planned.subject,
        planned.norms,
        controls,
        mapping=planned.mapping,
        seeds=range(planned.seeds),
        selections=SELECTIONS,
        only_categorised=only_categorised,
    )


def compared_verdicts() -> pd.DataFrame:
    """Verdicts on the norm sets side by side (P6) and on the mappings side by side (P8), as far as they are planned."""
    by_mapping = {m: {p.norms: p for p in PLAN if p.mapping == m} for m in ("plsr", "ffnn")}
    plsr = {norms: _run(p, COMPARED) for norms, p in by_mapping["plsr"].items()}
    labels = {"subject": "minilm", "concepts": "all"}
    sets = claims.SideBySide("norm sets", plsr)
    rows = _verdicts(["P6"], sets, labels | {"norms": ", ".join(plsr), "mapping": "plsr", "seeds": 1})
    for norms, p in by_mapping["ffnn"].items():
        linear = _run(replace(p, mapping="plsr"), COMPARED)  # the same deals of the folds
        both = claims.SideBySide("mappings", {"plsr": linear, "ffnn": _run(p, COMPARED)})
        rows += _verdicts(["P8"], both, labels | {"norms": norms, "mapping": "plsr", "seeds": p.seeds})
    return pd.DataFrame(rows)


def _verdicts(judged: list[str], evidence: claims.Evidence, labels: dict) -> list[dict]:
    """One row a reading and rule for the latent size."""
    return [
        {"claim": reading.split("-")[0], "reading": reading, "selection": selection}
        | {k: getattr(verdict, k) for k in ledger.JUDGED}
        | labels
        for selection in SELECTIONS
        for reading, verdict in claims.judge(judged, evidence, selection).items()
    ]


def selectivities(scores: Scores) -> pd.DataFrame:
    """What the original's calibrated score is above that of each control in `BEYOND`, as far as both are there.

    One row = (control, metric): estimate, low, high (95 %), p (one-sided, from the bootstrap).
    """
    rows = []
    for control, beyond in BEYOND.items():
        for metric in ("f1@10", "auc-feature"):
            if control not in set(scores.cells["control"]) or metric not in set(scores.cells["metric"]):
                continue
            estimate, replicates = protocols.selectivity(scores, control, metric)
            low, high = interval(replicates)
            row = {"control": control, "beyond": beyond, "metric": metric, "estimate": estimate}
            rows.append(row | {"low": float(low), "high": float(high), "p": crossing(replicates, above=0)})
    return pd.DataFrame(rows)


def tables(planned: Planned, found: dict[str, Scores]) -> dict[str, pd.DataFrame]:
    """Summary, selectivities, verdicts by rule for the latent size, and controls that do not apply."""
    labels = {"norms": planned.norms, "subject": planned.subject, "mapping": planned.mapping, "seeds": planned.seeds}
    summaries, verdicts, skipped = [], [], []
    for concepts, result in found.items():
        summaries.append(result.summary().assign(concepts=concepts))
        skipped += [{"control": name, "reason": why, "concepts": concepts} for name, why in result.skipped.items()]
        verdicts += _verdicts(list(claims.CLAIMS), result, {"concepts": concepts})
    return {
        "selectivity": selectivities(found["all"]).assign(**labels),
        "summary": pd.concat(summaries, ignore_index=True).assign(**labels),
        "verdicts": pd.DataFrame(verdicts).assign(**labels),
        "skipped": pd.DataFrame(skipped, columns=["control", "reason", "concepts"]).assign(**labels),
    }


SAMPLE = {
    "minilm-everyday-plsr": ("original", "shuffle-rows"),
    "minilm-mcrae-plsr": ("original",),
    "minilm-binder-plsr": ("original", "shuffle-rows"),
    "minilm-binder-ffnn": ("original", "shuffle-rows"),
}
"""Controls that `make verify` computes anew by default: those that take a minute or two. The others take hours."""

KEYS = {
    "summary": ("control", "scoring", "selection", "metric", "concepts"),
    "verdicts": ("reading", "selection", "concepts"),
    "selectivity": ("control", "metric"),
    "skipped": ("control", "concepts"),
}
"""What tells the rows of each table apart, within an entry."""


def again(planned: Planned, controls: tuple[str, ...] | None = None) -> Compared:
    """Some `controls` of an entry computed anew (with every seed), or all of it, beside what is committed."""
    known = {table: reference.load(NAME, table, [planned.entry]) for table in KEYS}
    if controls is None:
        fresh = tables(planned, scores(planned))
        pairs = [(_comparable(fresh[table]), _comparable(known[table]), keys) for table, keys in KEYS.items()]
        return compared("everything", pairs)
    summary = _run(planned, controls).summary().assign(concepts="all")
    there = known["summary"].query("concepts == 'all'")
    there = there[there["control"].isin(set(summary["control"]))]
    return compared(", ".join(controls), [(_comparable(summary), _comparable(there), KEYS["summary"])])


def _comparable(table: pd.DataFrame) -> pd.DataFrame:
    """What another machine has to find again.

    Not the latent sizes: of two that are nearly as good, rounding takes the one or the other. And not the error as a
    share of the upper bound's: where the norms have fewer features than there are components, the upper bound makes no
    error, and the share is of what rounding leaves.
    """
    if {"metric", "scoring"} <= set(table.columns):
        table = table[(table["metric"] != "mse") | (table["scoring"] != "of-upper-bound")]
    return table.drop(columns="latent", errors="ignore")


def comparisons_again() -> Compared:
    """What takes several norm sets or mappings, computed anew, beside what is committed."""
    known = reference.load(NAME, "verdicts", [COMPARISONS])
    return compared("everything", [(compared_verdicts(), known, ("reading", "selection", "norms"))])


def make_comparisons() -> None:
    """Judge what takes several norm sets or mappings, and write it."""
    before = len(store.used)
    reference.write(
        NAME,
        COMPARISONS,
        {"verdicts": compared_verdicts()},
        command=f"make reference ONLY={COMPARISONS}",
        used=store.used[before:],
    )


def make(planned: Planned) -> None:
    """Compute one entry (what is in the store is replayed) and write it."""
    before = len(store.used)
    found = scores(planned)
    reference.write(
        NAME,
        planned.entry,
        tables(planned, found),
        command=f"make reference ONLY={planned.entry}",
        used=store.used[before:],
    )
