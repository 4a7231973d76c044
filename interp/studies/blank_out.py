"""Contribution methods against the effect of removing a token, over a corpus."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from interp import corpora, residual, subjects
from interp.residual.blanking import blanking_table
from interp.store import Tables, study
from interp.studies.description import description


@study("blank-out", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _blanked(
    *, subject: str, corpus: str, texts: int, methods: list[str], probes: int | None, dtype: str, device: str
) -> Tables:
    model = subjects.shared(subject, device=device, dtype=dtype)
    return {"blanked": blanking_table(model, corpora.load(corpus).sample(texts), methods, probes=probes)}


def blank_out(
    subject: str,
    corpus: str = "plain",
    methods: Sequence[str] | None = None,
    *,
    texts: int = 12,
    probes: int | None = residual.PROBES,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """`residual.blanking.blanking_table` of `texts` sentences of a corpus; every method that the subject allows."""
    if methods is None:
        methods = [name for name, why in description(subject).lacking.items() if not why]
    return _blanked(
        subject=subject, corpus=corpus, texts=texts, methods=list(methods), probes=probes, dtype=dtype, device=device
    )["blanked"]
