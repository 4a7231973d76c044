"""Twins of a subject that have learned nothing: what the architecture, or the scale of its weights, does by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from interp.seeding import generator

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def fresh(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """The same architecture, initialised anew as its authors do before training (`SUBJECT:random`)."""
    from transformers import AutoModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModel.from_config(
            model.config, attn_implementation=model.config._attn_implementation, dtype=torch.float32
        )


def permute(model: PreTrainedModel, seed: int) -> None:
    """Permute the entries of every tensor in place (`SUBJECT:permuted`): its scale stays, what was learned goes.

    Each tensor's permutation depends on the seed and its name, so it does not matter what else the model holds.
    """
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            order = torch.from_numpy(generator(seed, "permuted", name).permutation(tensor.numel()))
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
