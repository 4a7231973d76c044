"""A second device that is only claimed: its tensors lie in memory like all others and say that they are elsewhere.

Nothing may mix them with tensors that are not, and numpy does not get at them: what a GPU refuses, this refuses. So
code that forgets to move a tensor fails on a machine without a GPU, too. It does not show a GPU's own arithmetic.

Importing it gives torch an accelerator for the rest of the process, so import it in a process of its own. It is made of
what torch has for its own fake tensors and for backends written in Python; another version may call that otherwise.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("elsewhere")
DEVICE = torch.device("elsewhere", 0)

aten = torch.ops.aten
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
"""What takes indices from the CPU, too."""


class Elsewhere(torch.Tensor):
    """A tensor that says it is not on the CPU."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Elsewhere":
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "layout": inner.layout}
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device=DEVICE, **layout)

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def tolist(self) -> list:
        return self.inner.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        if not force:
            raise TypeError(f"can't convert {self.device} device type tensor to numpy; use Tensor.cpu() first")
        return self.inner.numpy(force=True)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        with Claimed():
            return func(*args, **(kwargs or {}))


class Claimed(TorchDispatchMode):
    """Runs every operation on the CPU, after a look at where its tensors say they are."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = _tensors((args[0], args[2:3]) if func in INDEXED else (args, kwargs))
        there = any(isinstance(t, Elsewhere) for t in tensors)
        if func is aten.copy_.default:
            there = isinstance(args[0], Elsewhere)
        elif there and not all(isinstance(t, Elsewhere) or t.dim() == 0 for t in tensors):
            raise RuntimeError(f"{func}: expected all tensors to be on the same device")
        if kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]).type == DEVICE.type
            kwargs["device"] = torch.device("cpu")
        if func is aten._efficientzerotensor.default:  # zeros without memory, which a wrapper cannot stand for
            func = aten.zeros.default
        inner_args, inner_kwargs = tree_map_only(Elsewhere, lambda t: t.inner, (args, kwargs))
        out = func(*inner_args, **inner_kwargs)
        if not there:
            return out
        return return_and_correct_aliasing(func, args, kwargs, tree_map_only(torch.Tensor, Elsewhere, out))


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, torch.Tensor)]


@contextmanager
def a_second_device() -> Iterator[str]:
    """Within it the device is there, by the name it gives; models are moved to it parameter by parameter."""
    swapped = torch.__future__.get_swap_module_params_on_conversion()
    lifted = torch._C._only_lift_cpu_tensors()
    torch.__future__.set_swap_module_params_on_conversion(True)
    torch._C._set_only_lift_cpu_tensors(True)  # what is made of lists is moved where the mode sees it
    try:
        with patch("interp.subjects.catalogue.check_device"), Claimed():
            yield DEVICE.type
    finally:
        torch._C._set_only_lift_cpu_tensors(lifted)
        torch.__future__.set_swap_module_params_on_conversion(swapped)
