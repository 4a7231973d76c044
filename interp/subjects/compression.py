"""Smaller versions of a subject, as they are put on small devices: fewer bits, fewer blocks, fewer heads."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from interp.errors import InputError
from interp.registry import Registry
from interp.subjects.anatomy import anatomy_of, part


@dataclass(frozen=True)
class Compression:
    """One way to make a model smaller."""

    name: str
    does: str
    amount: str | None
    """What the number after the hyphen means; None where there is none."""
    apply: Callable[[Any, float], None]
    """Changes the model in place."""
    only_on: str | None = None
    """The kind of device it runs on, where it does not run on all."""


COMPRESSIONS: Registry[Compression] = Registry("compression", "interp subjects")
"""By what stands in a subject's name: ``minilm:int8``, ``minilm:blocks-4``, ``minilm:heads-0.5``."""


def compress(model: Any, spelled: str) -> None:
    """Apply ``NAME`` or ``NAME-AMOUNT`` to a model.

    Raises
    ------
    InputError
        For an unknown name, an amount that is missing, superfluous or out of range, or a model that has no such parts.
    """
    name, hyphen, amount = spelled.partition("-")
    chosen = COMPRESSIONS[name]
    if chosen.amount is None:
        if hyphen:
            raise InputError(f"compression {name!r} takes no number")
        chosen.apply(model, 0.0)
        return
    try:
        number = float(amount)
    except ValueError:
        raise InputError(f"compression {spelled!r}: write {name}-NUMBER, {chosen.amount}") from None
    chosen.apply(model, number)


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all weights as they lie in memory; a quantised matrix has one a weight, and four for each bias."""
    count = sum(p.numel() * p.element_size() for p in model.parameters())
    for module in model.modules():
        if callable(getattr(module, "weight", None)):
            weight, bias = module.weight(), module.bias()  # type: ignore[operator]
            count += weight.numel() * weight.element_size() + (
                0 if bias is None else bias.numel() * bias.element_size()
            )
    return count


def silent_heads(model: Any) -> list[tuple[int, int]]:
    """(layer, head), from 1, of the heads whose output does not reach the residual stream."""
    found = []
    for layer, columns in enumerate(_projections(model), 1):
        found += [(layer, h) for h, strength in enumerate(_strengths(columns, model.config), 1) if strength == 0]
    return found


def _half(model: Any, _amount: float) -> None:
    model.to(torch.bfloat16)


def _int8(model: Any, _amount: float) -> None:
    """Torch's dynamic quantisation: int8 matrices with one scale each; activations are rounded on the way in.

    What is not quantised becomes float32, whatever it was: torch's int8 matrices take nothing else.
    """
    anatomy = anatomy_of(model.config.model_type)
    blocks = part(model, anatomy.blocks)
    if model.device.type != "cpu":
        raise InputError("compression 'int8': torch has dynamic quantisation for the CPU only; use --device cpu")
    if not any(isinstance(m, nn.Linear) for m in blocks.modules()):
        raise InputError(f"compression 'int8': {model.config.model_type} has no linear layers that torch quantises")
    model.float()
    with warnings.catch_warnings():
        # Deprecated in favour of a package of its own (torchao); nothing else about it has changed.
        warnings.filterwarnings("ignore", message=".*(deprecated|quantize_per).*")
        torch.ao.quantization.quantize_dynamic(blocks, {nn.Linear}, dtype=torch.qint8, inplace=True)


def _first_blocks(model: Any, amount: float) -> None:
    anatomy = anatomy_of(model.config.model_type)
    blocks = part(model, anatomy.blocks)
    assert isinstance(blocks, nn.ModuleList)
    if not 1 <= amount <= len(blocks) or amount != int(amount):  # in this order: nan and inf are no int
        raise InputError(f"compression 'blocks-{amount:g}': a whole number from 1 to {len(blocks)}")
    del blocks[int(amount) :]
    model.config.num_hidden_layers = int(amount)


def _fewer_heads(model: Any, amount: float) -> None:
    """In each block, the share `amount` of heads with the smallest output matrices (Frobenius norm of W_O) is silenced.

    They are silenced and not cut out, so that the maps they still draw can be looked at.
    """
    if not 0 <= amount < 1:
        raise InputError(f"compression 'heads-{amount:g}': the share of heads to silence, from 0 to below 1")
    with torch.no_grad():
        for columns in _projections(model):
            strengths = _strengths(columns, model.config)
            size = columns.shape[1] // len(strengths)
            for head in torch.tensor(strengths).argsort()[: int(amount * len(strengths))].tolist():
                columns[:, head * size : (head + 1) * size] = 0.0


def _projections(model: Any) -> list[torch.Tensor]:
    """W_O of each block with one column an input; a view of the weights, unless they are quantised."""
    anatomy = anatomy_of(model.config.model_type)
    found = []
    for block in part(model, anatomy.blocks).children():
        module: Any = part(block, anatomy.projection)
        if callable(module.weight):
            found.append(module.weight().dequantize())
        else:
            found.append(module.weight.data.T if type(module).__name__ == "Conv1D" else module.weight.data)
    return found


def _strengths(columns: torch.Tensor, config: Any) -> list[float]:
    heads = int(config.num_attention_heads)
    return columns.reshape(len(columns), heads, -1).double().square().sum(dim=(0, 2)).sqrt().tolist()


for _one in (
    Compression("bfloat16", "all numbers in 16 bits", None, _half),
    Compression(
        "int8", "the blocks' matrices in 8 bits, activations rounded too", None, _int8, only_on="cpu"
    ),
    Compression("blocks", "only the first blocks", "how many blocks are kept", _first_blocks),
    Compression("heads", "the weakest heads of each block silenced", "the share of heads to silence", _fewer_heads),
):
    COMPRESSIONS.add(_one.name, _one)
