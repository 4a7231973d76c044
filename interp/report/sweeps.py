"""Sweeps: chapters x subjects x norms x seeds from one file, and what came out of them as one table.

A run is one chapter at one point of the grid. It is executed as any chapter is, into a folder of its own, and what it
computes goes through the same store: a sweep that is interrupted, extended or run on another machine computes what is
missing and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from interp import notebook, profile
from interp.claims import ledger
from interp.errors import InputError
from interp.files import replacing
from interp.profile import project_root
from interp.registry import unknown
from interp.report import chapters, provenance
from interp.report.slug import slug

FOLDER = Path("_build") / "sweeps"
"""Where sweeps lie, each in a folder of its name; relative to the checkout."""

OUTCOMES, RUNS = "outcomes", "runs"
"""The two tables of a sweep: what was judged, and what it took."""

OUTCOME_COLUMNS = ["run", "chapter", "norms", "seed", *(c for c in ledger.COLUMNS if c != "source")]
MEASURED = {"s": "seconds", "cpu_time": "cpu_seconds", "max_rss": "memory_mb"}
"""What Snakemake measures of a run, and its names here."""

RUN_COLUMNS = [
    "run",
    "chapter",
    "subject",
    "norms",
    "seed",
    "profile",
    *MEASURED.values(),
    "compute",
    "stored",
    "replayed",
]


class Sweep(BaseModel):
    """A sweep file, as ``config/sweep.yml``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    description: str
    """What it is for, in a sentence."""
    profile: str = "embedded"
    """Where every parameter comes from that the grid does not set."""
    chapters: list[str] = Field(min_length=1)
    subjects: list[str] = Field(min_length=1)
    norms: list[str] = Field(default_factory=list)
    """None: those of the profile."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)
    """Each is one draw (of folds, of controls). None: as many draws as the profile says."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Other parameters than the profile has; each reaches every chapter that knows it."""

    @property
    def folder(self) -> Path:
        """Its runs and tables, relative to the checkout."""
        return FOLDER / slug(self.name)


@dataclass(frozen=True)
class Run:
    """One chapter at one point of the grid; what the chapter does not know is None."""

    chapter: str
    subject: str | None
    norms: str | None
    seed: int | None
    given: tuple[tuple[str, Any], ...]
    """The point in the chapter's own parameters."""

    @property
    def name(self) -> str:
        """A file name: readable, and never that of another point."""
        seed = None if self.seed is None else f"seed{self.seed}"
        told = [slug(part)[:40] for part in (self.subject, self.norms, seed) if part is not None]
        digest = hashlib.sha256(json.dumps([self.subject, self.norms, self.seed]).encode()).hexdigest()
        return "-".join([*filter(None, told), digest[:10]])

    @property
    def arguments(self) -> list[str]:
        """The point as ``name=value`` for `interp chapter --set`."""
        return [f"{key}={json.dumps(value)}" for key, value in self.given]


@dataclass(frozen=True)
class Plan:
    """What a sweep runs, and what of its grid it does not."""

    runs: tuple[Run, ...]
    left_out: tuple[tuple[str, str], ...]
    """Pairs of a chapter and an untrained twin: the chapter takes its subject's twins along by itself."""


def load(path: Path) -> Sweep:
    """Read a sweep file; names in it are checked by `check`.

    Raises
    ------
    InputError
        If it is not there, no YAML, or has an unknown, missing or ill-typed key (named).
    """
    if not path.is_file():
        raise InputError(f"no sweep file {path}; config/sweep.yml is an example")
    sweep = profile.read(path, Sweep, "sweep")
    if not slug(sweep.name):
        raise InputError(f"{path}: name {sweep.name!r} has no letter or digit to name a folder by")
    for axis in ("chapters", "subjects", "norms", "seeds"):
        values = getattr(sweep, axis)
        twice = next((v for i, v in enumerate(values) if v in values[:i]), None)
        if twice is not None:
            raise InputError(f"{path}: {axis} names {twice!r} twice")
    for chapter in sweep.chapters:
        if chapter not in chapters.names():
            raise InputError(f"{path}: {unknown('chapter', chapter, chapters.names())}")
    return sweep


AXES = ("subject", "norms", "norm_set", "seed", "seeds", "first_seed")
"""Parameters of chapters that the grid sets."""


def check(sweep: Sweep, given: Iterable[str] = ()) -> None:
    """Check that its subjects and norms are there, before anything is computed.

    Parameters
    ----------
    given
        Parameters of the command line, which reach every run that knows them.

    Raises
    ------
    InputError
        Naming the one that is not there, or that is an axis of the sweep and cannot be given beside it; for a parameter
        that no chapter knows.
    """
    known = {key: None for name in sweep.chapters for key in chapters.parameters(name)}
    for key in (*sweep.parameters, *given):
        if key in AXES:
            raise InputError(f"parameter {key}: a sweep takes it from its file, from subjects, norms or seeds")
        chapters.check_parameter(f"sweep {sweep.name}", known, key, None)
    from interp import norms as norm_sets
    from interp.norms import table as norm_tables
    from interp.subjects import catalogue

    for subject in sweep.subjects:
        catalogue.identify(subject)
    for norms in sweep.norms:
        if norms not in norm_sets.NORMS and not Path(norms).is_file():
            hint = unknown("norm set", norms, norm_sets.NORMS, "interp norms")
            raise InputError(f"{hint}; or give the path of a {' or '.join(norm_tables.ENDINGS)}")


def plan(sweep: Sweep) -> Plan:
    """The runs of a sweep, each once: a chapter that does not know norms or seeds is not run again for each."""
    runs: dict[tuple[str, str], Run] = {}
    left_out = []
    for chapter in sweep.chapters:
        known, own_twins = chapters.parameters(chapter), chapters.brings_twins(chapter)
        for subject in sweep.subjects:
            if own_twins and _is_twin(subject):
                left_out.append((chapter, subject))
                continue
            norms_and_seeds: Iterable[tuple[str | None, int | None]]
            norms_and_seeds = product(sweep.norms or (None,), sweep.seeds or (None,))
            for norms, seed in norms_and_seeds:
                run = _run(chapter, known, sweep.parameters, subject, norms, seed)
                runs.setdefault((chapter, run.name), run)
    return Plan(tuple(runs.values()), tuple(left_out))


def _is_twin(subject: str) -> bool:
    if ":" not in subject:  # every job of a cluster plans the sweep, and importing subjects takes seconds
        return False
    from interp.subjects.catalogue import Name

    return Name.parse(subject).twin is not None


def _run(
    chapter: str,
    known: Mapping[str, Any],
    parameters: Mapping[str, Any],
    subject: str,
    norms: str | None,
    seed: int | None,
) -> Run:
    """A point of the grid in the parameters of a chapter."""
    given = {key: value for key, value in parameters.items() if key in known}
    if "subject" in known:
        given["subject"] = subject
    asked = next((key for key in ("norm_set", "norms") if norms and key in known), None)
    if asked:
        given[asked] = [norms] if isinstance(known[asked], list) else norms
    drawn: dict[str, Any] = {}
    if seed is not None and "first_seed" in known:
        drawn = {"seeds": 1, "first_seed": seed}
    elif seed is not None and isinstance(known.get("seeds"), list):
        drawn = {"seeds": [seed]}
    elif seed is not None and "seed" in known:
        drawn = {"seed": seed}
    return Run(
        chapter,
        given.get("subject"),
        norms if asked else None,
        seed if drawn else None,
        tuple({**given, **drawn}.items()),
    )


def notebook_of(sweep: Sweep, run: Run) -> Path:
    """Where a run's executed chapter lies, relative to the checkout."""
    return sweep.folder / run.name / f"{run.chapter}.ipynb"


def gather(sweep: Sweep) -> dict[str, pd.DataFrame]:
    """What the finished runs filed: one row an outcome, and one row a run; in the order of the sweep."""
    outcomes, runs = [], []
    for run in plan(sweep).runs:
        path = project_root() / notebook_of(sweep, run)
        if not path.is_file():
            continue
        point = {"run": run.name, "chapter": run.chapter, "norms": run.norms, "seed": run.seed}
        outcomes += [{**row, **point} for row in ledger.judged(path)]
        record = notebook.filed(path, provenance.MIME)[-1]
        about = {"subject": run.subject, "profile": sweep.profile}
        runs.append({**record, **point, **about, **_measured(path.with_suffix(".tsv"))})
    return {
        name: pd.DataFrame(rows).reindex(columns=columns).astype({"seed": "Int64"})
        for name, rows, columns in ((OUTCOMES, outcomes, OUTCOME_COLUMNS), (RUNS, runs, RUN_COLUMNS))
    }


def _measured(path: Path) -> dict[str, Any]:
    """What a run took, where Snakemake ran it."""
    if not path.is_file():
        return {}
    row = pd.read_csv(path, sep="\t").iloc[-1]
    return {name: row[theirs] for theirs, name in MEASURED.items()}


def write(sweep: Sweep) -> dict[str, pd.DataFrame]:
    """Gather, and write each table as parquet and CSV into the sweep's folder.

    The outcomes are the same bytes whenever, wherever and in whatever order the runs were executed.
    """
    tables = gather(sweep)
    for name, table in tables.items():
        with replacing(project_root() / sweep.folder / f"{name}.parquet") as partial:
            table.to_parquet(partial, index=False)
        with replacing(project_root() / sweep.folder / f"{name}.csv") as partial:
            table.to_csv(partial, index=False, lineterminator="\n")
    return tables


def read(sweep: Sweep) -> dict[str, pd.DataFrame]:
    """The tables that `write` wrote."""
    return _read(project_root() / sweep.folder)


def gathered() -> Iterator[tuple[str, dict[str, pd.DataFrame]]]:
    """The sweeps that were run in this checkout: their names, and their tables."""
    for path in sorted((project_root() / FOLDER).glob(f"*/{OUTCOMES}.parquet")):
        yield path.parent.name, _read(path.parent)


def _read(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in (OUTCOMES, RUNS)}
