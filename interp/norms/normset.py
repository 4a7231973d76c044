"""A set of feature norms, whoever collected it."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from interp.errors import InputError
from interp.targets import UNCATEGORISED, is_dense


@dataclass(frozen=True, eq=False)
class NormSet:
    """Concepts x features with the words to embed and the taxonomy.

    Attributes are checked when a set is made: shapes agree, names are unique, values are finite.
    """

    name: str
    concepts: tuple[str, ...]
    """Unique names; homonyms carry a suffix, as in ``bat_(animal)``."""
    lemmas: tuple[str, ...]
    """The word that gets embedded, one per concept; homonyms share it."""
    features: tuple[str, ...]
    values: Float[np.ndarray, "concept feature"]
    """Production frequencies or ratings, float64; 0 where a feature was not produced."""
    taxonomy: tuple[str, ...]
    """One category per concept; `UNCATEGORISED` where there is none."""
    kinds: tuple[str, ...] | None
    """One kind per feature (``taxonomic``, ``function``, ...), where the norms label them."""
    unit: str
    """What a value is, for axes and tables."""
    citation: str
    licence: str

    def __post_init__(self) -> None:
        n, m = len(self.concepts), len(self.features)
        if self.values.shape != (n, m):
            raise InputError(f"norms {self.name}: values are {self.values.shape}, but {n} concepts x {m} features")
        if not (len(self.lemmas) == len(self.taxonomy) == n) or (self.kinds is not None and len(self.kinds) != m):
            raise InputError(f"norms {self.name}: one lemma and category per concept, one kind per feature, please")
        for what, names in (("concept", self.concepts), ("feature", self.features)):
            if len(set(names)) != len(names):
                twice = next(x for x in names if names.count(x) > 1)
                raise InputError(f"norms {self.name}: {what} {twice!r} occurs twice")
        if not np.isfinite(self.values).all():
            i, j = np.argwhere(~np.isfinite(self.values))[0]
            raise InputError(
                f"norms {self.name}: value of ({self.concepts[i]}, {self.features[j]}) is not a finite number"
            )

    @property
    def density(self) -> float:
        """Share of cells > 0."""
        return float((self.values > 0).mean())

    @property
    def dense(self) -> bool:
        """Whether these are ratings on every feature rather than features that people listed."""
        return is_dense(self.values)

    @cached_property
    def checksum(self) -> str:
        """sha256 of everything a computation can see of the norms."""
        digest = hashlib.sha256()
        for names in (self.concepts, self.lemmas, self.features, self.taxonomy, self.kinds or ()):
            digest.update("\x1f".join(names).encode() + b"\x1e")
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").tobytes())
        return digest.hexdigest()

    def subset(self, keep: Int[np.ndarray, "kept"]) -> "NormSet":
        """The set with only the concepts `keep` (indices), and without features that none of them carries."""
        values = self.values[keep]
        carried = np.flatnonzero((values != 0).any(axis=0))
        return NormSet(
            self.name,
            tuple(self.concepts[i] for i in keep),
            tuple(self.lemmas[i] for i in keep),
            tuple(self.features[j] for j in carried),
            values[:, carried],
            settled_taxonomy([self.taxonomy[i] for i in keep]),
            None if self.kinds is None else tuple(self.kinds[j] for j in carried),
            self.unit,
            self.citation,
            self.licence,
        )


def lemma_of(concept: str) -> str:
    """The word to embed: homonym suffix stripped, underscores to blanks, lower case (PROTOCOL 2).

    >>> lemma_of("bat_(animal)"), lemma_of("tape_measure")
    ('bat', 'tape measure')
    """
    return re.sub(r"_\(.*\)$", "", concept).replace("_", " ").strip().lower()


def settled_taxonomy(categories: list[str]) -> tuple[str, ...]:
    """Categories with the empty ones, and those with a single concept, made `UNCATEGORISED`."""
    sizes = {c: categories.count(c) for c in set(categories)}
    return tuple(c if c and sizes[c] > 1 else UNCATEGORISED for c in categories)
