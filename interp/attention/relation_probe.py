"""The probe itself: logistic regression, three ways of splitting the data, and the control task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interp.errors import InputError
from interp.registry import Registry
from interp.seeding import generator

TASKS = ("hypernymy", "coin")
"""``coin``: the control task of Hewitt & Liang (2019), a coin thrown once for every slot noun."""

Deal = Callable[[pd.DataFrame, "Bool[np.ndarray, 'item']", int, int], "Iterator[tuple[np.ndarray, np.ndarray]]"]
"""From items (``concept``, ``slot``), labels, number of folds and seed to (train, test) indices."""


@dataclass(frozen=True)
class Split:
    """One way of keeping test sentences apart from training sentences."""

    name: str
    unseen: str
    """What of a test sentence was not in training."""
    deal: Deal


SPLITS: Registry[Split] = Registry("split of the relation probe", "")


def _split(name: str, unseen: str) -> Callable[[Deal], Deal]:
    def add(deal: Deal) -> Deal:
        SPLITS.add(name, Split(name, unseen, deal))
        return deal

    return add


@_split("ungrouped", "only the sentence; the same two nouns are trained on in other patterns")
def _ungrouped(
    items: pd.DataFrame, labels: np.ndarray, folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(items, labels)


@_split(
    "concepts", "the concept, with its true and its wrong pair; the slot nouns are trained on beside other concepts"
)
def _concepts(
    items: pd.DataFrame, labels: np.ndarray, folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield from _grouped(labels, items["concept"].to_numpy(), folds, seed)


@_split("double", "both nouns: grouped by the slot noun, and training sentences that share the concept are dropped")
def _double(items: pd.DataFrame, labels: np.ndarray, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    concepts = items["concept"].to_numpy()
    for train, test in _grouped(labels, items["slot"].to_numpy(), folds, seed):
        yield train[~np.isin(concepts[train], concepts[test])], test


def _grouped(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros(len(labels)), labels, groups)


def coin(slots: Sequence[str], seed: int) -> Bool[np.ndarray, "item"]:
    """Labels of the control task: heads for a random half of the slot nouns.

    Hewitt & Liang (2019) throw for each type independently; halves keep small data from having one side only.
    """
    nouns = np.unique(np.asarray(slots))
    order = generator(seed, "coin").permutation(len(nouns))
    heads = set(nouns[order[: len(nouns) // 2]])
    return np.array([slot in heads for slot in slots])


def fit_and_judge(
    X: Float[np.ndarray, "item feature"],
    labels: Bool[np.ndarray, "item"],
    train: Int[np.ndarray, "training"],
    test: Int[np.ndarray, "testing"],
    strength: float,
) -> Bool[np.ndarray, "testing"]:
    """Which test items the probe calls true: logistic regression on standardised features, classes weighted alike.

    Parameters
    ----------
    strength
        scikit-learn's C: the inverse of the L2 penalty.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=5000))
    return probe.fit(X[train], labels[train]).predict(X[test])


def probe(
    X: Float[np.ndarray, "item feature"],
    items: pd.DataFrame,
    *,
    split: str,
    task: str = "hypernymy",
    folds: int = 5,
    seed: int = 0,
    strength: float = 0.1,
) -> pd.DataFrame:
    """How the probe does on items it was not trained on, counted by fold and slot noun.

    Parameters
    ----------
    items
        One row per sentence: ``concept``, ``slot``, ``hypernymy``. Rows of `X` belong to them.

    Returns
    -------
    Columns ``fold``, ``slot``, ``true`` (items that are), ``hits`` (those called true), ``wrong``, ``rejections``
    (those called wrong). Balanced accuracy, and any bootstrap over slot nouns, can be had from these counts.

    Raises
    ------
    InputError
        For an unknown split or task, or too few nouns for the folds.
    """
    slots = items["slot"].to_numpy()
    if task not in TASKS:
        raise InputError(f"unknown task {task!r} of the relation probe: {' or '.join(TASKS)}")
    labels = items["hypernymy"].to_numpy(dtype=bool) if task == "hypernymy" else coin(slots, seed)
    if len(np.unique(slots)) < 2 * folds:
        raise InputError(f"{len(np.unique(slots))} slot nouns are too few for {folds} folds: give more pairs")
    counted = []
    for fold, (train, test) in enumerate(SPLITS[split].deal(items, labels, folds, seed)):
        if len(np.unique(labels[train])) < 2:
            continue  # nothing can be learned here; the mean goes over the other folds
        called = fit_and_judge(X, labels, train, test, strength)
        is_true = labels[test]
        rows = pd.DataFrame(
            {
                "slot": slots[test],
                "true": is_true,
                "hits": is_true & called,
                "wrong": ~is_true,
                "rejections": ~is_true & ~called,
            }
        )
        counted.append(rows.groupby("slot", as_index=False).sum().assign(fold=fold))
    if not counted:
        raise InputError(f"no fold of the split {split!r} leaves both classes to train on: give more pairs")
    return pd.concat(counted, ignore_index=True)
