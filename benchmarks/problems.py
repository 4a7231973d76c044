"""What is measured on: the real norms with the default subject, or random data of the same shape and density."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

SHAPES = {"mcrae": (541, 384, 2526, 7257), "buchanan": (4436, 384, 3981, 42616)}
"""Concepts, width of the embeddings, features, features listed."""


@dataclass(frozen=True)
class Targets:
    """What `interp.inference` asks of norms."""

    values: np.ndarray
    lemmas: tuple[str, ...]
    taxonomy: tuple[str, ...]
    kinds: None = None


def random_problem(concepts: int, width: int, features: int, listed: int) -> tuple[np.ndarray, Targets]:
    """Standard normal embeddings; production frequencies on random cells, one lemma a concept."""
    rng = np.random.default_rng(0)
    values = np.zeros((concepts, features))
    values[rng.integers(concepts, size=listed), rng.integers(features, size=listed)] = rng.integers(5, 31, size=listed)
    lemmas = tuple(f"w{i}" for i in range(concepts))
    return rng.standard_normal((concepts, width)), Targets(values, lemmas, ("uncategorised",) * concepts)


def load(name: str) -> tuple[np.ndarray, Any, str]:
    """Embeddings, norms, and a note on where they come from."""
    from interp import norms, subjects
    from interp.errors import InputError

    try:
        loaded = norms.load(name)
        return subjects.load("minilm").lemma_vectors(loaded.lemmas, "wordpiece"), loaded, "real norms, minilm"
    except InputError:
        return *random_problem(*SHAPES[name]), "random data of the norms' shape and density"


def seconds(measured: Callable[[], object], repeats: int = 1) -> float:
    """The shortest of `repeats` wall-clock times, each until a GPU, where there is one, has done what it was given."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        measured()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)
