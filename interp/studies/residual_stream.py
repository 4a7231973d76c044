"""Own share and mixing of a subject over a corpus, and of one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

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
    model = subjects.shared(subject, device=device, dtype=dtype)
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


@study("traced-text", identities={"subject": subjects.identify})
def _traced(*, subject: str, text: str, method: str, dtype: str, device: str) -> Tables:
    traced = residual.trace_text(subjects.shared(subject, device=device, dtype=dtype), text, method)
    own = traced.own_share(cumulated=True).double().numpy(force=True)
    columns = [f"block {i + 1}" for i in range(len(own))]
    return {"own": pd.DataFrame(own.T, columns=columns).assign(token=traced.tokens)}


def traced_text(
    subject: str, text: str, method: str = "propagated", *, dtype: str = "float32", device: str = "cpu"
) -> tuple[list[str], Float[np.ndarray, "block token"]]:
    """The tokens of one text, and the own share of each after each block (`residual.trace_text`, cumulated)."""
    table = _traced(subject=subject, text=text, method=method, dtype=dtype, device=device)["own"]
    return table["token"].tolist(), table.drop(columns="token").to_numpy().T
