"""Other forms of the targets, for asking whether a result hangs on one (sensitivity, PROTOCOL 4)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from interp.norms.normset import NormSet
from interp.registry import Registry
from interp.targets import UNCATEGORISED

Treatment = Callable[[NormSet], NormSet]

TREATMENTS: Registry[Treatment] = Registry("form of the targets", "raw, binary, unit-row")


@TREATMENTS.register("raw")
def raw(norms: NormSet) -> NormSet:
    """Values as they are."""
    return norms


@TREATMENTS.register("binary")
def binary(norms: NormSet) -> NormSet:
    """1 where a feature was produced, 0 elsewhere; of dense ratings, 1 above the feature's median."""
    carried = np.median(norms.values, axis=0) < norms.values if norms.dense else norms.values > 0
    return replace(norms, values=carried.astype(float), unit="carried or not")


@TREATMENTS.register("unit-row")
def unit_row(norms: NormSet) -> NormSet:
    """Every concept's vector divided by its length; an empty row stays empty."""
    length = np.linalg.norm(norms.values, axis=1, keepdims=True)
    values = np.divide(norms.values, length, out=np.zeros_like(norms.values), where=length > 0)
    return replace(norms, values=values, unit="share of the vector's length")


def categorised(norms: NormSet) -> NormSet:
    """Only the concepts that have a category (PROTOCOL 2: taxonomic results are given without the rest, too)."""
    return norms.subset(np.flatnonzero(np.asarray(norms.taxonomy) != UNCATEGORISED))
