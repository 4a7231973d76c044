"""The paper's claims as precise readings, each judged by a rule that was fixed before the run."""

from interp.claims.evidence import Evidence, SideBySide, attention_evidence
from interp.claims.judging import judge, verdict_table
from interp.claims.readings import CLAIMS, JUDGED_ON, Claim, JudgedOn, Reading, readings
from interp.claims.rules import OUTCOMES, RULES, Verdict

__all__ = [
    "CLAIMS",
    "JUDGED_ON",
    "OUTCOMES",
    "RULES",
    "Claim",
    "Evidence",
    "JudgedOn",
    "Reading",
    "SideBySide",
    "Verdict",
    "attention_evidence",
    "judge",
    "readings",
    "verdict_table",
]
