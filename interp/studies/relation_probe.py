"""The relation probe on a subject: its inputs, negatives, splits and the control task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from interp import norms as norm_sets
from interp import subjects
from interp.attention.relation_inputs import PROBE_INPUTS, Reading
from interp.attention.relation_items import NEGATIVES, Nouns, items
from interp.attention.relation_probe import SPLITS, TASKS, probe
from interp.attention.relation_scores import pooled
from interp.corpora import patterns as pattern_table
from interp.errors import InputError
from interp.norms import superordinates
from interp.store import Tables, study
from interp.subjects.catalogue import Name

DEFAULT_PATTERNS = ("hp01", "hp03", "hp05", "hp08")


def nouns_for(model: subjects.Subject, found: superordinates.Hyponymy) -> Nouns:
    """The pairs of a norm set with what their negatives are drawn from, matched on the subject's static vectors."""
    hypernyms = frozenset().union(*found.listed.values())
    pool = tuple(sorted(w for w in found.listed if w not in hypernyms and not superordinates.is_plural(w)))
    concepts, above = zip(*found.pairs)
    words = sorted({*pool, *concepts, *above})
    vectors = dict(zip(words, model.lemma_vectors(words)))
    return Nouns(concepts, above, pool, found.listed, found.above, vectors)


@lru_cache(maxsize=2)
def _hyponymy(norms: str, pairs: int | None, ancestors: str) -> superordinates.Hyponymy:
    return superordinates.hyponymy(norm_sets.load(norms), count=pairs, with_wordnet=ancestors == "wordnet")


@study("relation-items", identities={"subject": subjects.identify, "norms": norm_sets.identify})
def _items(
    *, subject: str, norms: str, pairs: int | None, ancestors: str, negatives: list[str], dtype: str, device: str
) -> Tables:
    model = subjects.shared(subject, dtype=dtype, device=device)
    return {"items": items(nouns_for(model, _hyponymy(norms, pairs, ancestors)), negatives)}


@study("relation-probe", identities={"subject": subjects.identify, "norms": norm_sets.identify})
def _one_input(
    *,
    subject: str,
    norms: str,
    input: str,
    negatives: list[str],
    splits: list[str],
    patterns: list[str],
    pairs: int | None,
    ancestors: str,
    folds: int,
    seeds: int,
    twins: int,
    strength: float,
    batch_size: int,
    dtype: str,
    device: str,
) -> Tables:
    drawn = probe_items(
        subject, norms, negatives=negatives, pairs=pairs, ancestors=ancestors, dtype=dtype, device=device
    )
    mass = _hyponymy(norms, pairs, ancestors).mass
    nouns = drawn[["concept", "slot"]].drop_duplicates().merge(pd.DataFrame({"pattern": patterns}), how="cross")
    known = pattern_table.patterns(patterns)
    sentences = [pattern_table.fill(known[p], c, s, mass=mass) for c, s, p in nouns.itertuples(index=False)]
    model = subjects.shared(subject, dtype=dtype, device=device)
    reading = Reading(
        model,
        lambda kind, seed: subjects.shared(f"{subject}:{kind}:{seed}", dtype=dtype, device=device),
        sentences,
        nouns,
        batch_size,
    )
    wanted = PROBE_INPUTS[input]
    variants = [wanted.build(reading, seed) for seed in range(min(twins, seeds) if wanted.seeded else 1)]
    counts = []
    for kind in negatives:
        mine = drawn[drawn["negatives"] == kind].merge(nouns.reset_index(names="row"), on=["concept", "slot"])
        for seed in range(seeds):
            X = variants[seed % len(variants)][mine["row"].to_numpy()]
            for split in splits:
                for task in TASKS:
                    found = probe(X, mine, split=split, task=task, folds=folds, seed=seed, strength=strength)
                    counts.append(found.assign(input=input, negatives=kind, split=split, task=task, seed=seed))
    return {"counts": pd.concat(counts, ignore_index=True)}


def probe_counts(
    subject: str,
    norms: str,
    inputs: Sequence[str] = tuple(PROBE_INPUTS),
    *,
    negatives: Sequence[str] = tuple(NEGATIVES),
    splits: Sequence[str] = tuple(SPLITS),
    patterns: Sequence[str] = DEFAULT_PATTERNS,
    pairs: int | None = None,
    ancestors: str = "norms",
    folds: int = 5,
    seeds: int = 3,
    twins: int = 3,
    strength: float = 0.1,
    batch_size: int = 64,
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """The probe's counts, one row per (input, negatives, split, task, seed, fold, slot); each input is stored apart.

    Parameters
    ----------
    pairs
        How many true pairs; all there are for None.
    ancestors
        What must not stand in the slot of a wrong pair: what the ``"norms"`` put above the concept, or that and what
        ``"wordnet"`` does; ``"auto"``: WordNet where it is.
    seeds
        Repetitions of the folds and of the coin.
    twins
        How many twins, or shuffles of the embeddings, the repetitions take turns with.

    Raises
    ------
    InputError
        For an unknown name, norms that name no superordinates, a twin as subject, or too little data.
    """
    if Name.parse(subject).twin:
        raise InputError(f"subject {subject!r} is a twin; the relation probe makes its twins itself: name the original")
    for what, value in (("seeds", seeds), ("twins", twins)):
        if value < 1:
            raise InputError(f"relation probe: {what} is {value}, and must be 1 or more")
    known = list(pattern_table.patterns(patterns))
    tables = [
        _one_input(
            subject=subject,
            norms=norms,
            input=PROBE_INPUTS[name].name,
            negatives=[NEGATIVES[kind].name for kind in negatives],
            splits=[SPLITS[split].name for split in splits],
            patterns=known,
            pairs=pairs,
            ancestors=superordinates.settled_ancestors(ancestors),
            folds=folds,
            seeds=seeds,
            twins=twins,
            strength=strength,
            batch_size=batch_size,
            dtype=dtype,
            device=device,
        )["counts"]
        for name in inputs
    ]
    return pd.concat(tables, ignore_index=True)


def probe_items(
    subject: str,
    norms: str,
    *,
    negatives: Sequence[str] = tuple(NEGATIVES),
    pairs: int | None = None,
    ancestors: str = "norms",
    dtype: str = "float32",
    device: str = "cpu",
) -> pd.DataFrame:
    """The true and wrong pairs that `probe_counts` works on, the same for every input (`attention.relation_items`).

    They depend on the subject, because some negatives are matched on its static vectors.
    """
    return _items(
        subject=subject,
        norms=norms,
        pairs=pairs,
        ancestors=superordinates.settled_ancestors(ancestors),
        negatives=[NEGATIVES[kind].name for kind in negatives],
        dtype=dtype,
        device=device,
    )["items"]


def probe_scores(counts: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy and selectivity with intervals (`attention.relation_scores.pooled`)."""
    return pooled(counts)
