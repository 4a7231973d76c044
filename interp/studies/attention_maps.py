"""Attention maps of a subject over texts: structure, perturbations, positional share, swaps, the crossed design."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from interp import attention, corpora, subjects
from interp.corpora import embedded
from interp.store import Tables, study


def some_texts(subject: subjects.Subject, corpus: str, count: int) -> list[str]:
    """`count` eligible texts of a corpus, the same for all subjects with this tokenizer."""
    pool = corpora.load(corpus).sample(4 * count)  # many are too short or too long
    return attention.eligible(subject, pool)[:count]


@study("attention-structure", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _structure(
    *,
    subject: str,
    corpus: str,
    texts: int,
    perturbations: list[str],
    seeds: list[int],
    batch_size: int,
    dtype: str,
    device: str,
) -> Tables:
    model = subjects.shared(subject, device=device, dtype=dtype)
    chosen = some_texts(model, corpus, texts)
    table, heads = attention.map_tables(model, chosen, perturbations, seeds=seeds, batch_size=batch_size)
    return {"texts": table, "heads": heads}


def attention_structure(
    subject: str,
    corpus: str = "plain",
    perturbations: Sequence[str] = (),
    *,
    texts: int = 300,
    seeds: Sequence[int] = (0,),
    batch_size: int = 16,
    dtype: str = "float32",
    device: str = "cpu",
) -> Tables:
    """`attention.map_tables` of eligible sentences of a corpus: tables ``texts`` and ``heads``."""
    return _structure(
        subject=subject,
        corpus=corpus,
        texts=texts,
        perturbations=list(perturbations),
        seeds=list(seeds),
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )


def with_twins(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The subject's table of texts and, as perturbations of its weights, the intact maps of its twins.

    Parameters
    ----------
    tables
        By name: the subject's own table first, then its twins' (``SUBJECT:permuted:1`` becomes ``permuted``).
    """
    (_, own), *twins = tables.items()
    frames = [own]
    for name, table in twins:
        kind = name.split(":")[-1] if not name.split(":")[-1].isdigit() else name.split(":")[-2]
        mine = table[table["perturbation"] == "intact"]
        frames.append(mine.assign(perturbation=f"{kind} weights"))
    return pd.concat(frames, ignore_index=True)


def role_reversals() -> list[attention.Swap]:
    """The package's role-reversal sentences with the two nouns of each."""
    table = embedded.table("role_reversal")
    return [attention.Swap(r.sentence, (r.first, r.second)) for r in table.itertuples()]


def crossed_items() -> list[attention.Item]:
    """The package's sentences of the crossed design."""
    rows = embedded.table("crossed").to_dict("records")
    voices = ("active", "passive", "active_reversed", "passive_reversed")
    return [attention.Item((r["agent"], r["patient"]), {v: r[v] for v in voices}) for r in rows]


@study("attention-swaps", identities={"subject": subjects.identify})
def _swaps(*, subject: str, texts: int | None, batch_size: int, dtype: str, device: str) -> Tables:
    model = subjects.shared(subject, device=device, dtype=dtype)
    every = role_reversals()
    usable = attention.swappable(model, every)[:texts]
    structure, heads = attention.map_tables(
        model, [s.text for s in usable], ["swap"], pairs=[s.pair for s in usable], batch_size=batch_size
    )
    return {
        "follows": attention.follows_table(model, usable, batch_size=batch_size),
        "texts": structure,
        "heads": heads,
        "counts": pd.DataFrame({"given": [len(every)], "used": [len(usable)]}),
    }


def attention_swaps(
    subject: str, *, texts: int | None = None, batch_size: int = 16, dtype: str = "float32", device: str = "cpu"
) -> Tables:
    """Role-reversal swaps: ``follows`` (see `attention.follows_table`), ``texts`` and ``heads`` (`map_tables`)."""
    return _swaps(subject=subject, texts=texts, batch_size=batch_size, dtype=dtype, device=device)


@study("attention-crossed", identities={"subject": subjects.identify})
def _crossed(*, subject: str, items: int | None, batch_size: int, dtype: str, device: str) -> Tables:
    model = subjects.shared(subject, device=device, dtype=dtype)
    every = crossed_items()
    usable = attention.usable(model, every)[:items]
    return {
        "crossed": attention.crossed_table(model, usable, batch_size=batch_size),
        "counts": pd.DataFrame({"given": [len(every)], "used": [len(usable)]}),
    }


def attention_crossed(
    subject: str, *, items: int | None = None, batch_size: int = 16, dtype: str = "float32", device: str = "cpu"
) -> Tables:
    """The crossed design of voice and order: table ``crossed`` (see `attention.crossed_table`)."""
    return _crossed(subject=subject, items=items, batch_size=batch_size, dtype=dtype, device=device)


@study("attention-positions", identities={"subject": subjects.identify, "corpus": corpora.identify})
def _positions(
    *,
    subject: str,
    corpus: str,
    perturbation: str,
    least: int,
    most: int,
    batch_size: int,
    dtype: str,
    device: str,
) -> Tables:
    model = subjects.shared(subject, device=device, dtype=dtype)
    chosen = attention.one_length(model, corpora.load(corpus).texts, least=least)[:most]
    table = attention.positional_table(model, chosen, perturbation=perturbation, batch_size=batch_size)
    length = len(model.encode(chosen[:1]).ids[0])
    return {"errors": table, "counts": pd.DataFrame({"texts": [len(chosen)], "tokens": [length]})}


def attention_positions(
    subject: str,
    corpus: str = "contexts",
    *,
    perturbation: str = "intact",
    least: int = 300,
    most: int = 1000,
    batch_size: int = 16,
    dtype: str = "float32",
    device: str = "cpu",
) -> Tables:
    """Errors behind the positional share, on at most `most` sentences of the corpus's commonest length."""
    return _positions(
        subject=subject,
        corpus=corpus,
        perturbation=perturbation,
        least=least,
        most=most,
        batch_size=batch_size,
        dtype=dtype,
        device=device,
    )
