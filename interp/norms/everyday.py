"""`everyday`: the norms that come with the package, so that the whole book runs with no download.

Written by a language model for this project, in McRae's form; not human data. The book's page on them says what that
means for reading a result. CC0.
"""

from pathlib import Path

from interp.norms import table
from interp.norms.normset import NormSet

FILE = Path(__file__).parent / "data" / "everyday.tsv"


def load() -> NormSet:
    """Concepts x features, a value being how many of 30 people would name the feature (5 to 30)."""
    return table.load(
        FILE,
        name="everyday",
        unit="production frequency (of 30)",
        citation="written for this project (machine-written, not human data)",
        licence="CC0 1.0",
    )
