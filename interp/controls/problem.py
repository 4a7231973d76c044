"""The mapping problem, and the registry of ways to corrupt it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from interp.errors import InputError
from interp.registry import Registry
from interp.targets import is_dense


class NotApplicable(InputError):
    """A control has no meaning for this problem (`shuffle-swap` on dense ratings, say); the line says why."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What a mapping is asked to learn: predict the rows of Y from the rows of X."""

    X: Float[np.ndarray, "concept width"]
    Y: Float[np.ndarray, "concept feature"]
    lemmas: tuple[str, ...]
    """The embedded words: concepts that share one stay in one fold; spelling controls read them."""
    taxonomy: tuple[str, ...]
    kinds: tuple[str, ...] | None = None
    """One kind per feature, where the norms label them."""
    pieces: tuple[tuple[int, ...], ...] | None = None
    """Each lemma's sub-word ids, where X is made of sub-words."""

    @property
    def dense(self) -> bool:
        """Whether Y holds ratings on every feature rather than features that people listed."""
        return is_dense(self.Y)


Build = Callable[[Problem, np.random.Generator], Problem]


@dataclass(frozen=True)
class Control:
    """One control: how it is built, what it keeps and what it destroys (PROTOCOL 6)."""

    name: str
    build: Build
    keeps: str
    destroys: str
    keeps_targets: bool
    """Whether Y stays as it is, so that floor and ceilings are those of the original."""
    predictor: Literal["mapping", "training mean", "truth"] = "mapping"
    """What predicts: the mapping under test, or, for a floor and an oracle, nothing that is fitted."""


CONTROLS: Registry[Control] = Registry("control", "interp controls")
"""Every control, in the order of the ladder: what it keeps of the problem and what it destroys."""


def control(
    name: str,
    *,
    keeps: str,
    destroys: str,
    keeps_targets: bool = False,
    predictor: Literal["mapping", "training mean", "truth"] = "mapping",
) -> Callable[[Build], Build]:
    """Register the decorated function as the control `name`."""

    def add(build: Build) -> Build:
        CONTROLS.add(name, Control(name, build, keeps, destroys, keeps_targets, predictor))
        return build

    return add
