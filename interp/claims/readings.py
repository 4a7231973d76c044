"""The ledger: every claim and its readings, read from `readings.yml`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict

from interp.claims.rules import RULES
from interp.registry import Registry

FILE = Path(__file__).parent / "readings.yml"


Study: TypeAlias = Literal[
    "attention-maps",
    "mappings",
    "norm-sets",
    "property-inference",
    "relation-probe",
    "residual-mixing",
    "token-identity",
]


class Claim(BaseModel):
    """What the paper says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    statement: str
    paper: str
    """Where the paper says it."""
    literature: str
    """What others have found, or that nothing comparable is known to us."""


class JudgedOn(BaseModel):
    """What the readings of a study are judged on, fixed with them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    """Texts or norms, and which part of them counts."""
    subjects: str


class Reading(BaseModel):
    """One precise, runnable operationalisation of a claim."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    claim: str
    statement: str
    study: Study
    """Which kind of evidence it is judged on; `JUDGED_ON` has its data and subjects."""
    statistic: dict[str, str]
    """What is read off the evidence; keys depend on the study."""
    rule: str
    """A name in `RULES`."""
    chapter: str
    """The chapter that judges it."""
    figure: str
    """The figure or table of that chapter that decides it, by its anchor."""


CLAIMS: Registry[Claim] = Registry("claim", "interp claims")
"""The paper's claims, what it calls them, and what others have found."""


@lru_cache(maxsize=1)
def _ledger() -> tuple[Reading, ...]:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found = tuple(Reading.model_validate(row) for row in content["readings"])
    for reading in found:
        CLAIMS[reading.claim]
        RULES[reading.rule]
        JUDGED_ON[reading.study]
    return found


def readings(claim: str | None = None) -> list[Reading]:
    """All readings, or those of one claim.

    Raises
    ------
    InputError
        For an unknown claim.
    """
    if claim is not None:
        CLAIMS[claim]
    return [r for r in _ledger() if claim in (None, r.claim)]


JUDGED_ON: Registry[JudgedOn] = Registry("study", "interp claims")
"""Data and subjects by study."""


def _fill() -> None:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for row in content["claims"]:
        CLAIMS.add(row["id"], Claim.model_validate(row))
    for study, row in content["studies"].items():
        JUDGED_ON.add(study, JudgedOn.model_validate(row))


_fill()
