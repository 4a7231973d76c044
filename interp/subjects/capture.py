"""Watching a forward pass: activations by site name, through hooks that are always removed.

Sites: ``embed`` (what enters the first block) and, for each block L, ``blocks.L.resid_pre``, ``blocks.L.attn.queries``,
``.keys``, ``.values``, ``.weights``, ``blocks.L.attn.out`` (after the output projection), ``blocks.L.mlp.out`` and
``blocks.L.resid_post`` (before any final norm).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

from torch import Tensor, nn

from interp.errors import InputError
from interp.subjects.anatomy import Anatomy, part
from interp.subjects.attention import AttentionCall, add_tap

AROUND = ("resid_pre", "attn.out", "mlp.out", "resid_post")
INSIDE = ("queries", "keys", "values", "weights")


class Trace(Mapping[str, Tensor]):
    """What was captured in the last forward pass, by site.

    Shapes: residual sites (batch, position, width); ``attn.weights`` (batch, head, query, key); ``attn.values`` and the
    like (batch, head, position, head size).
    """

    def __init__(self, sites: Sequence[str]) -> None:
        self.sites = tuple(sites)
        self._seen: dict[str, Tensor] = {}

    def __getitem__(self, site: str) -> Tensor:
        try:
            return self._seen[site]
        except KeyError:
            why = "run the subject inside the with-block first" if site in self.sites else "it was not asked for"
            raise KeyError(f"site {site!r} holds nothing: {why}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def put(self, site: str, value: Tensor) -> None:
        """Called by the hooks."""
        self._seen[site] = value

    def stack(self, pattern: str) -> list[Tensor]:
        """The captured tensors whose site matches `pattern`, in order of the blocks."""
        return [self._seen[s] for s in self.sites if fnmatchcase(s, pattern) and s in self._seen]


def site_names(n_blocks: int) -> list[str]:
    """Every site of a model with `n_blocks` blocks, in order of computation."""
    names = ["embed"]
    for i in range(n_blocks):
        b = f"blocks.{i}"
        names += [f"{b}.resid_pre", *(f"{b}.attn.{x}" for x in INSIDE), f"{b}.attn.out", f"{b}.mlp.out"]
        names.append(f"{b}.resid_post")
    return names


def matching(patterns: Sequence[str], known: Sequence[str]) -> list[str]:
    """Sites that match any of the patterns.

    Raises
    ------
    InputError
        For a pattern that matches none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(site, pattern) for site in known):
            raise InputError(
                f"no site matches {pattern!r}; sites are 'embed' and, for L = 0..{(len(known) - 2) // 8}, 'blocks.L.' "
                f"with {', '.join((*AROUND, *(f'attn.{x}' for x in INSIDE)))}"
            )
    return [site for site in known if any(fnmatchcase(site, pattern) for pattern in patterns)]


@contextmanager
def captured(model: nn.Module, anatomy: Anatomy, patterns: Sequence[str], *, detach: bool = True) -> Iterator[Trace]:
    """Capture the sites that match `patterns` in every forward pass of the with-block (the last one stays)."""
    blocks = list(part(model, anatomy.blocks).children())
    trace = Trace(matching(patterns, site_names(len(blocks))))
    removers: list[Callable[[], None]] = []

    def put(site: str, value: Tensor) -> None:
        trace.put(site, value.detach() if detach else value)

    def after(module: nn.Module, site: str) -> None:
        handle = module.register_forward_hook(lambda _m, _a, out: put(site, out[0] if isinstance(out, tuple) else out))
        removers.append(handle.remove)

    def before(module: nn.Module, site: str) -> None:
        handle = module.register_forward_pre_hook(
            lambda _m, args, kwargs: put(site, args[0] if args else kwargs["hidden_states"]), with_kwargs=True
        )
        removers.append(handle.remove)

    def tap(module: nn.Module, wanted: dict[str, str]) -> None:
        def listen(call: AttentionCall) -> None:
            for name, site in wanted.items():
                put(site, getattr(call, name))

        removers.append(add_tap(module, listen))

    try:
        if "embed" in trace.sites:
            after(part(model, anatomy.embedding_output), "embed")
        for i, block in enumerate(blocks):
            b = f"blocks.{i}"
            if f"{b}.resid_pre" in trace.sites:
                before(block, f"{b}.resid_pre")
            if f"{b}.resid_post" in trace.sites:
                after(block, f"{b}.resid_post")
            if f"{b}.attn.out" in trace.sites:
                after(part(block, anatomy.projection), f"{b}.attn.out")
            if f"{b}.mlp.out" in trace.sites:
                after(part(block, anatomy.feedforward), f"{b}.mlp.out")
            inside = {x: f"{b}.attn.{x}" for x in INSIDE if f"{b}.attn.{x}" in trace.sites}
            if inside:
                tap(part(block, anatomy.attention), inside)
        yield trace
    finally:
        for remove in removers:
            remove()
