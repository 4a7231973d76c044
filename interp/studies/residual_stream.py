"""Own share and mixing of a subject over a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from interp import corpora, residual, subjects
from interp.store import Tables, study


@study("residual-mixing", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _mixing(
    *,
    subject: str,
    corpus: str,
    texts: int,
    methods: list[str],
    batch_size: int,
    probes: int | None,
    dtype: str,
    device: str,
) -> Tables:
    model = subjects.load(subject, device=device, dtype=dtype)
    chosen = corpora.load(corpus).sample(texts)
    return {"mixing": residual.mixing_table(model, chosen, methods, batch_size=batch_size, probes=probes)}


def residual_mixing(
    subject: str,
    corpus: str = "plain",
    methods: Sequence[str] = ("weights", "norm"),
    *,
    texts: int | Mapping[str, int] = 300,
    batch_size: int = 16,
    probes: int | None = residual.PROBES,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """`residual.mixing_table` of `texts` sentences of a corpus.

    Methods differ a hundredfold in what they cost, so `texts` may give each its own number. Cheap methods with the same
    number share their forward passes and a stored result; costly ones have results of their own.
    """
    groups: dict[tuple[int, str], list[str]] = {}
    for m in methods:
        number = texts if isinstance(texts, int) else texts[m]
        groups.setdefault((number, m if residual.METHODS[m].costly else ""), []).append(m)
    tables = [
        _mixing(
            subject=subject,
            corpus=corpus,
            texts=number,
            methods=mine,
            batch_size=batch_size,
            probes=probes if "gradient" in mine else None,
            dtype=dtype,
            device=device,
        )["mixing"]
        for (number, _), mine in groups.items()
    ]
    return pd.concat(tables, ignore_index=True)
