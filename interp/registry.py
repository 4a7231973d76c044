"""A named family of things (controls, norms, subjects, methods): one place to add a member, one way to look it up."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from interp.errors import InputError

T = TypeVar("T")

_LONG = 120
"""Characters of a name that a message shows; whoever wrote more has made another mistake."""


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping by name, in order of registration, that answers an unknown name with a suggestion.

    Parameters
    ----------
    kind
        What a member is called in messages, for example ``"control"``.
    listing
        The command that lists the members, for example ``"interp controls"``.

    Examples
    --------
    >>> colours = Registry("colour", "interp colours")
    >>> colours.add("green", 1)
    1
    >>> colours["gren"]
    Traceback (most recent call last):
    interp.errors.InputError: unknown colour 'gren'; did you mean 'green'? (interp colours lists them)
    """

    def __init__(self, kind: str, listing: str) -> None:
        self.kind = kind
        self.listing = listing
        self._members: dict[str, T] = {}

    def add(self, name: str, member: T) -> T:
        """Register `member` under `name`; a name can be taken once."""
        if name in self._members:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._members[name] = member
        return member

    def register(self, name: str) -> Callable[[T], T]:
        """`add` as a decorator."""
        return lambda member: self.add(name, member)

    def __getitem__(self, name: str) -> T:
        try:
            return self._members[name]
        except (KeyError, TypeError):
            raise InputError(unknown(self.kind, name, self._members, self.listing)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def unknown(kind: str, name: object, known: "Mapping[str, object] | list[str]", listing: str = "") -> str:
    """The line for a name nobody knows: with the nearest known one, where there is one near enough."""
    from rapidfuzz import fuzz, process

    near = process.extractOne(str(name)[:_LONG], list(known), scorer=fuzz.ratio, score_cutoff=60)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(map(str, known)) or 'none'}"
    shown = name if len(str(name)) <= _LONG else f"{str(name)[:_LONG]}..."
    return f"unknown {kind} {shown!r}{hint}" + (f" ({listing} lists them)" if listing and near else "")
