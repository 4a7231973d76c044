"""The attention function all subjects run with: eager attention that shows its weights and lets itself be altered.

transformers dispatches every family's attention through one interface, so this one function serves BERT, GPT-2, Llama
and GPT-NeoX alike. The mask function must be registered under the same name, or padding and causal masks silently
vanish.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

NAME = "interp"


@dataclass
class AttentionCall:
    """One call of a layer's attention. A tap may replace `values` or `weights`."""

    queries: Float[Tensor, "batch head query size"]
    keys: Float[Tensor, "batch head key size"]
    """After rotary positions; grouped heads repeated, one per query head."""
    values: Float[Tensor, "batch head key size"]
    weights: Float[Tensor, "batch head query key"]


Tap = Callable[[AttentionCall], None]

_taps: weakref.WeakKeyDictionary[nn.Module, list[Tap]] = weakref.WeakKeyDictionary()


def add_tap(module: nn.Module, tap: Tap) -> Callable[[], None]:
    """Call `tap` at each attention of `module`; gives back the function that removes it."""
    _taps.setdefault(module, []).append(tap)

    def remove() -> None:
        mine = _taps.get(module, [])
        if tap in mine:
            mine.remove(tap)
        if not mine:
            _taps.pop(module, None)

    return remove


def tapped(module: nn.Module) -> bool:
    """Whether any tap listens to `module`."""
    return module in _taps


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: object,
) -> tuple[Tensor, Tensor]:
    """Eager attention, softmax in float32 as in transformers' decoders; equal to each family's own eager version."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    if module in _taps:
        call = AttentionCall(query, key, value, weights)
        for tap in tuple(_taps[module]):
            tap(call)
        weights, value = call.weights, call.values
    dropped = nn.functional.dropout(weights, p=dropout, training=module.training)
    return (dropped @ value).transpose(1, 2).contiguous(), weights


def register() -> None:
    """Make `attention` known to transformers under `NAME`; a second time changes nothing.

    Not done on import: transformers' modelling code takes as long to import as torch does, and a page that replays
    stored results needs no model.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, eager_mask

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, eager_mask)
