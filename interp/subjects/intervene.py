"""Changing what enters a subject for the length of a with-block, through hooks that are always removed.

The weights themselves are never written to, so nothing has to be put back, whatever happens inside the block.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from interp.errors import InputError
from interp.subjects.anatomy import Anatomy, part


@contextmanager
def embedding_table(model: nn.Module, anatomy: Anatomy, table: Float[Tensor, "token width"]) -> Iterator[None]:
    """Read token embeddings from `table` instead of the model's own."""
    module = part(model, anatomy.embedding)
    handle = module.register_forward_hook(lambda _module, args, _out: nn.functional.embedding(args[0], table))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def positions_moved(model: nn.Module, anatomy: Anatomy, order: Int[Tensor, "text position"]) -> Iterator[None]:
    """Give place i the position embedding (or rotary angle) of place ``order[text, i]``.

    What a causal mask lets a place see stays as it is: the mask goes by place.

    Raises
    ------
    InputError
        For an architecture with neither a table of positions nor position ids.
    """
    if anatomy.positions is not None:
        module = part(model, anatomy.positions)

        # The table's own input is permuted, so that families that start to count at another number need no case here.
        def permuted(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return (args[0].expand_as(order).gather(1, order), *args[1:])

        handle = module.register_forward_pre_hook(permuted)
    elif "position_ids" in inspect.signature(model.forward).parameters:
        handle = model.register_forward_pre_hook(
            lambda _module, args, kwargs: (args, {**kwargs, "position_ids": order}), with_kwargs=True
        )
    else:
        raise InputError(
            f"{type(model).__name__} has neither position embeddings nor position ids: its positions cannot be shuffled"
        )
    try:
        yield
    finally:
        handle.remove()
