"""Train, validation and test concepts; concepts that share a lemma always stay together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interp.errors import InputError
from interp.seeding import generator


@dataclass(frozen=True)
class Split:
    """Row indices of one fold: the test concepts are never seen by the choice of the latent size."""

    fold: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def grouped_folds(groups: Sequence[str], n_folds: int, seed: int) -> list[Split]:
    """Deal the groups (lemmas) into folds: test = fold f, validation = fold f + 1, the rest trains (PROTOCOL 4).

    Groups are shuffled by `seed` and dealt to the fold with the fewest concepts, so that folds differ by at most the
    size of a group.

    Raises
    ------
    InputError
        If there are fewer than 3 folds, or fewer groups than folds.
    """
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if n_folds < 3:
        raise InputError(f"{n_folds} folds are too few: one tests, one validates, and at least one trains")
    if len(names) < n_folds:
        raise InputError(f"{n_folds} folds need at least {n_folds} different lemmas, and there are {len(names)}")
    sizes = np.bincount(member)
    order = generator(seed, "folds").permutation(len(names))
    filled = np.zeros(n_folds, dtype=int)
    fold_of_group = np.empty(len(names), dtype=int)
    for group in order:
        fold = int(filled.argmin())
        fold_of_group[group] = fold
        filled[fold] += sizes[group]
    fold_of = fold_of_group[member]
    splits = []
    for f in range(n_folds):
        test, validation = fold_of == f, fold_of == (f + 1) % n_folds
        splits.append(Split(f, np.flatnonzero(~test & ~validation), np.flatnonzero(validation), np.flatnonzero(test)))
    return splits
