"""How much each token contributes to each position: what a method is, and which there are (PROTOCOL 8).

A method gives, for each block and cumulated over blocks, a matrix of non-negative contributions (query x key) and,
where it knows the contributed vectors y_ij, the mixing ratio of each position. The two summaries never stand for each
other:

- **share** = ||y_ii|| / sum_k ||y_ik||, the diagonal of the row-normalised matrix;
- **ratio** (Kobayashi et al. 2021, Eq. 8) = ||sum_{j != i} y_ij|| / (||sum_{j != i} y_ij|| + ||y_ii||).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from interp.errors import InputError
from interp.registry import Registry
from interp.residual.blockview import BlockView
from interp.residual.forward import ForwardPass
from interp.subjects.subject import Subject


@dataclass(frozen=True)
class Contribution:
    """What reaches each position from each token, for a batch of texts of one length."""

    amount: Float[Tensor, "text query key"]
    """Non-negative contributions, not normalised."""
    ratio: Float[Tensor, "text query"] | None = None
    """Mixing ratio of each position; None for methods without vectors."""
    bias: Float[Tensor, "text query"] | None = None
    """Norm of what belongs to no token, where the method keeps it as a part of its own."""
    error: Float[Tensor, "text query key"] | None = None
    """Relative standard error of `amount`, where it is an estimate."""

    @property
    def share(self) -> Float[Tensor, "text query key"]:
        """Rows normalised to one; a row without any contribution is given to the position itself."""
        total = self.amount.sum(dim=-1, keepdim=True)
        itself = torch.eye(self.amount.shape[-1], device=self.amount.device, dtype=self.amount.dtype)
        return torch.where(total > 0, self.amount / total.clamp_min(torch.finfo(total.dtype).tiny), itself)


Cumulate: TypeAlias = Callable[[ForwardPass, Sequence[Contribution]], list[Contribution]]
"""From the blocks' contributions (or the pass itself) to those of the input tokens after each block."""


def rollout(_: ForwardPass, blocks: Sequence[Contribution]) -> list[Contribution]:
    """Cumulated products of the blocks' row-normalised matrices, the lowest rightmost (Abnar & Zuidema 2020, Eq. 1).

    Their residual connection is not added here: it is part of each method's matrix, where the method has one.
    """
    return [Contribution(m) for m in _products([b.share for b in blocks])]


def rollout_unnormalised(_: ForwardPass, blocks: Sequence[Contribution]) -> list[Contribution]:
    """The product of the matrices as they are; rows are normalised once, at the end (the code of GlobEnc's authors).

    Each factor is divided by its largest entry, which the last step undoes and which keeps the product in range.
    """
    scaled = [b.amount / b.amount.amax(dim=(-2, -1), keepdim=True) for b in blocks]
    return [Contribution(m) for m in _products(scaled)]


def _products(matrices: Sequence[Tensor]) -> list[Tensor]:
    result = [matrices[0]]
    for matrix in matrices[1:]:
        result.append(matrix @ result[-1])
    return result


@dataclass(frozen=True)
class Method:
    """A contribution method."""

    name: str
    blocks: Callable[[ForwardPass], list[Contribution]]
    definition: str
    source: str
    cumulate: Cumulate = rollout
    further: Mapping[str, Cumulate] = field(default_factory=dict)
    """Other ways of cumulating the same blocks, by name."""
    lacking: Callable[[Subject], str | None] = lambda _: None
    """Why the method has no definition for a subject; None where it has one."""
    costly: bool = False
    """Whether it takes many times a forward pass, so that fewer texts have to do."""
    caveat: str = ""
    """Why the own share carries no verdict; empty where it does."""
    reference: Callable[[int, int, bool], Float[Tensor, "layer position"]] | None = None
    """Own share, cumulated, of uniform attention, from (layers, length, causal): where it is fixed by construction."""

    def check(self, subject: Subject) -> None:
        """Refuse a subject that the method has no definition for.

        Raises
        ------
        InputError
            Saying why, and what to use instead.
        """
        why = self.lacking(subject)
        if why is not None:
            raise InputError(f"method {self.name!r} has no definition for {subject.name}: {why}")


METHODS: Registry[Method] = Registry("contribution method", "interp methods")
"""Every contribution method: what it counts as the contribution of one token to another, and its source."""


def per_view(measure: Callable[[BlockView, int], Contribution]) -> Callable[[ForwardPass], list[Contribution]]:
    """A method that needs to look at one block at a time: `measure` of a view, so many vectors at once."""
    return lambda forward: [measure(view, forward.rows) for view in forward.views]
