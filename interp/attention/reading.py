"""The maps of one text, before and after a perturbation, in numbers that a table can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp.attention.comparison import similarities
from interp.attention.layout import Layout
from interp.attention.perturbations import PERTURBATIONS, Given, attend, intact
from interp.attention.structure import structure
from interp.errors import InputError
from interp.subjects.subject import Subject


@dataclass(frozen=True)
class Reading:
    """One text's attention maps."""

    subject: str
    perturbation: str
    tokens: list[str]
    """As the perturbed text has them."""
    before_tokens: list[str]
    before: list[Float[Tensor, "text head query key"]]
    after: list[Float[Tensor, "text head query key"]]
    """By layer. The same as `before` for `intact`."""
    order: Tensor | None
    """Where what stands at a place came from; None if nothing moves."""
    layouts: tuple[Layout, Layout]
    """Before, after."""

    def rows(self, layer: int | None = None, head: int | None = None) -> list[dict[str, Any]]:
        """A row a layer (means over heads); with `layer`, a row a head; with `head`, a row a query.

        Similarities are Pearson correlations of the inner maps, not calibrated: that takes more than one text.

        Raises
        ------
        InputError
            For a layer or head the subject does not have, or a head without its layer.
        """
        self.check(layer, head)
        if layer is not None and head is not None:
            map_ = self.after[layer - 1][0, head - 1].tolist()
            # Columns are keys; a token that occurs twice needs two names.
            names = [f"{i} {token}" for i, token in enumerate(self.tokens, start=1)]
            return [{"query": name, **dict(zip(names, row))} for name, row in zip(names, map_)]
        rows = []
        for number in range(1, len(self.after) + 1) if layer is None else [layer]:
            found = self._measured(number)
            if layer is None:
                rows.append({"layer": number, **{k: _plain(v.mean()) for k, v in found.items()}})
            else:
                heads = range(len(next(iter(found.values()))))
                rows += [{"layer": number, "head": h + 1, **{k: _plain(v[h]) for k, v in found.items()}} for h in heads]
        return rows

    def check(self, layer: int | None, head: int | None) -> None:
        """Whether there is such a layer and head."""
        heads = self.after[0].shape[1]
        if layer is not None and not 1 <= layer <= len(self.after):
            raise InputError(f"layer {layer}: {self.subject} has layers 1 to {len(self.after)}")
        if head is not None and layer is None:
            raise InputError("a head needs its layer: add --layer")
        if head is not None and not 1 <= head <= heads:
            raise InputError(f"head {head}: {self.subject} has heads 1 to {heads}")

    def _measured(self, layer: int) -> dict[str, Tensor]:
        a, now = self.before[layer - 1], self.after[layer - 1]
        found = {k: v[0] for k, v in structure(now, self.layouts[1]).items() if not v.isnan().all()}
        if self.perturbation != "intact":
            found["same, in place"] = similarities(now, a, self.layouts[0])["pearson, inner"][0]
            if self.order is not None:
                moved = similarities(now, a, self.layouts[0], self.order)
                found["same, carried along"] = moved["pearson, inner"][0]
        return found


def _plain(value: Tensor) -> float | None:
    return None if bool(value.isnan()) else float(value)


def read(
    subject: Subject, text: str, perturbation: str = "intact", *, seed: int = 0, pair: tuple[str, str] | None = None
) -> Reading:
    """Look at one text.

    Raises
    ------
    InputError
        For a text without tokens or of fewer than three, or too long; an unknown perturbation; a swap without its
        words, or of words that are not in the text.
    """
    chosen = PERTURBATIONS[perturbation]
    batch = subject.encode([text])
    if int((~batch.special).sum()) < 3:
        raise InputError(f"text {text!r} is too short for a map: it needs at least 3 tokens")
    given = Given((text,), batch, None if pair is None else (pair,))
    perturbed = chosen.make(subject, seed)(given)
    before = attend(subject, intact(subject, 0)(given))
    after = before if perturbation == "intact" else attend(subject, perturbed)
    return Reading(
        subject.name,
        perturbation,
        subject.tokens(perturbed.batch),
        subject.tokens(batch),
        before,
        after,
        perturbed.order if chosen.moves else None,
        (Layout.of(subject, batch), Layout.of(subject, perturbed.batch)),
    )


def two_words(spelled: str) -> tuple[str, str]:
    """``"chef,waiter"`` as a pair.

    Raises
    ------
    InputError
        If these are not two words.
    """
    words = [word.strip() for word in spelled.split(",")]
    if len(words) != 2 or not all(words):
        raise InputError(f"swap {spelled!r}: give two words with a comma between, as in chef,waiter")
    return words[0], words[1]


def mean_map(maps: Float[Tensor, "text head query key"], head: int | None) -> Float[Tensor, "query key"]:
    """The map of one head (from 1), or the mean over heads."""
    return (maps[0].mean(dim=0) if head is None else maps[0, head - 1]).detach().to("cpu", torch.float32)
