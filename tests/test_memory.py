"""Statistics are accumulated over a stream of batches: five times the texts hold no more maps and vectors at a time."""

import gc
import weakref
from itertools import islice, permutations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from interp import attention, residual

NOUNS = ("chef", "waiter", "dog", "cat", "river", "canal", "apple", "fruit", "animal", "bird", "boat", "house")


class Live(TorchDispatchMode):
    """The most bytes of maps and vectors that were alive at once, of those made in the with-block.

    Results, a few numbers a text, may grow. Maps and the like have three axes or more, vectors the model's width.
    """

    def __init__(self, width):
        super().__init__()
        self.width = width
        self.now = self.most = 0
        self.seen = set()

    def _gone(self, pointer, size):
        self.seen.discard(pointer)
        self.now -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and (tensor.ndim >= 3 or tensor.shape[-1:] == (self.width,)):
                storage = tensor.untyped_storage()
                pointer = storage._cdata
                if pointer not in self.seen:
                    self.seen.add(pointer)
                    self.now += storage.nbytes()
                    self.most = max(self.most, self.now)
                    weakref.finalize(storage, self._gone, pointer, storage.nbytes())
        return out


def texts(count):
    """Of ten words each, all different."""
    return [f"the {a} chased a {b} in the {c} with orange wings" for a, b, c in islice(permutations(NOUNS, 3), count)]


STUDIES = {
    "mixing": lambda s, t: residual.mixing_table(s, t, ["norm", "alti", "propagated"], batch_size=10),
    "structure": lambda s, t: attention.map_tables(s, t, ["shuffle-words"], batch_size=10),
    "positional share": lambda s, t: attention.positional_table(s, t, batch_size=10),
    "identity": lambda s, t: residual.identity_table(s, t, types=30, queries=20, batch_size=10),
}


@pytest.mark.parametrize("study", list(STUDIES))
def test_five_times_the_texts_hold_no_more(tiny, study, monkeypatch):
    monkeypatch.setattr("interp.residual.identity.REFERENCES", 16)
    most = []
    for count in (50, 250):
        gc.collect()
        with Live(tiny["bert"].width) as live:
            STUDIES[study](tiny["bert"], texts(count))
        most.append(live.most)
    assert most[1] < 1.1 * most[0], most
