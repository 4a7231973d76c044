"""Own share and mixing of a subject over a corpus."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from interp import corpora, residual, subjects
from interp.store import Tables, study


@study("residual-mixing", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _mixing(
    *, subject: str, corpus: str, texts: int, methods: list[str], batch_size: int, dtype: str, device: str
) -> Tables:
    model = subjects.load(subject, device=device, dtype=dtype)
    chosen = corpora.load(corpus).sample(texts)
    return {"mixing": residual.mixing_table(model, chosen, methods, batch_size=batch_size)}


def residual_mixing(
    subject: str,
    corpus: str = "plain",
    methods: Sequence[str] = ("weights", "norm"),
    *,
    texts: int = 300,
    batch_size: int = 16,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """`residual.mixing_table` of `texts` sentences of a corpus."""
    return _mixing(
        subject=subject,
        corpus=corpus,
        texts=texts,
        methods=list(methods),
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )["mixing"]
