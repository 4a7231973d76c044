"""Token identity of a subject over a corpus."""

from __future__ import annotations

import pandas as pd

from interp import corpora, residual, subjects
from interp.store import Tables, study


@study("token-identity", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _identity(
    *, subject: str, corpus: str, texts: int, types: int, queries: int, batch_size: int, dtype: str, device: str
) -> Tables:
    model = subjects.shared(subject, device=device, dtype=dtype)
    chosen = corpora.load(corpus).sample(texts)
    table = residual.identity_table(model, chosen, types=types, queries=queries, batch_size=batch_size)
    return {"identity": table}


def token_identity(
    subject: str,
    corpus: str = "plain",
    *,
    texts: int = 300,
    types: int = 5000,
    queries: int = 2000,
    batch_size: int = 32,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """`residual.identity_table` of `texts` sentences of a corpus."""
    return _identity(
        subject=subject,
        corpus=corpus,
        texts=texts,
        types=types,
        queries=queries,
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )["identity"]
