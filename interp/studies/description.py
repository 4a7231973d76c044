"""What a page says of a subject, so that it can be shown where the subject itself is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from interp import norms as norm_sets
from interp import residual, subjects
from interp.store import Tables, study
from interp.studies.property_inference import some_concepts


@dataclass(frozen=True)
class Description:
    """A subject in numbers."""

    layers: int
    heads: int
    width: int
    vocabulary: int
    causal: bool
    masks: bool
    """Whether it has a mask token, so that a word can be hidden from it."""
    lacking: Mapping[str, str]
    """By contribution method: why it has no definition for this subject; empty for those that have one."""

    def lacks(self, method: str) -> str | None:
        """Why a contribution method has no definition for this subject; None if it has.

        Raises
        ------
        InputError
            For an unknown method.
        """
        return self.lacking[residual.METHODS[method].name] or None


@study("description", identities={"subject": subjects.identify})
def _described(*, subject: str) -> Tables:
    model = subjects.shared(subject)
    numbers = {
        "layers": model.n_layers,
        "heads": model.n_heads,
        "width": model.width,
        "vocabulary": len(model.embeddings),
        "causal": model.causal,
        "masks": model.tokenizer.mask_token_id is not None,
    }
    lacking = [(name, method.lacking(model) or "") for name, method in residual.METHODS.items()]
    return {"numbers": pd.DataFrame([numbers]), "methods": pd.DataFrame(lacking, columns=["method", "lacking"])}


def description(subject: str) -> Description:
    """Sizes of a subject, and which contribution methods it allows."""
    tables = _described(subject=subject)
    numbers = tables["numbers"].iloc[0]
    lacking = dict(zip(tables["methods"]["method"], tables["methods"]["lacking"], strict=True))
    return Description(
        layers=int(numbers["layers"]),
        heads=int(numbers["heads"]),
        width=int(numbers["width"]),
        vocabulary=int(numbers["vocabulary"]),
        causal=bool(numbers["causal"]),
        masks=bool(numbers["masks"]),
        lacking=lacking,
    )


@study("word-pieces", identities={"subject": subjects.identify, "norms": norm_sets.identify})
def _pieces(*, subject: str, norms: str, concepts: int | None) -> Tables:
    model = subjects.shared(subject)
    lemmas = some_concepts(norm_sets.load(norms), concepts).lemmas
    return {"pieces": pd.DataFrame({"lemma": lemmas, "pieces": [len(model.pieces(lemma)) for lemma in lemmas]})}


def word_pieces(subject: str, norms: str, *, concepts: int | None = None) -> np.ndarray:
    """How many sub-words each concept's lemma is spelled with, in the order of the norms."""
    return _pieces(subject=subject, norms=norms, concepts=concepts)["pieces"]["pieces"].to_numpy()
