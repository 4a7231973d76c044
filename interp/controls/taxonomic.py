"""Taxonomic corruption: what is left when concepts exchange features within their category, or categories as wholes.

The paper does not say how it corrupts the taxonomy; these are our readings of it.
"""

from dataclasses import replace

import numpy as np

from interp.controls.problem import NotApplicable, Problem, control
from interp.targets import UNCATEGORISED


def _members(problem: Problem) -> dict[str, np.ndarray]:
    """Concepts of each category, `UNCATEGORISED` among them where there are any."""
    taxonomy = np.asarray(problem.taxonomy)
    members = {str(c): np.flatnonzero(taxonomy == c) for c in np.unique(taxonomy)}
    if len(members.keys() - {UNCATEGORISED}) < 2:
        raise NotApplicable("taxonomic controls need at least two categories")
    return members


@control("taxonomy-within", keeps="what the concepts of a category share", destroys="what sets a concept apart in it")
def taxonomy_within(problem: Problem, rng: np.random.Generator) -> Problem:
    """Rows of Y permuted inside each category; the uncategorised among themselves."""
    Y = problem.Y.copy()
    for rows in _members(problem).values():
        Y[rows] = problem.Y[rng.permutation(rows)]
    return replace(problem, Y=Y)


@control("taxonomy-between", keeps="that concepts come in blocks", destroys="which category is which")
def taxonomy_between(problem: Problem, rng: np.random.Generator) -> Problem:
    """Every category gets the rows of another of about its size; no category keeps its own.

    Categories are ordered by size (ties at random) and neighbours exchange, the last three in a ring where their number
    is odd. A donor's rows are dealt without replacement and, where they do not suffice, dealt again. The uncategorised
    are permuted among themselves.
    """
    members = _members(problem)
    Y = problem.Y.copy()
    if UNCATEGORISED in members:
        rows = members.pop(UNCATEGORISED)
        Y[rows] = problem.Y[rng.permutation(rows)]
    for category, donor in derangement(members, rng).items():
        rows, given = members[category], rng.permutation(members[donor])
        Y[rows] = problem.Y[np.resize(given, len(rows))]
    return replace(problem, Y=Y)


def derangement(members: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, str]:
    """The donor of each category, see `taxonomy-between`."""
    names = rng.permutation(sorted(members)).tolist()
    names.sort(key=lambda name: len(members[name]))
    donors: dict[str, str] = {}
    while names:
        ring = names[:3] if len(names) == 3 else names[:2]
        donors |= dict(zip(ring, [*ring[1:], ring[0]]))
        names = names[len(ring) :]
    return donors


def _taxonomic(problem: Problem) -> np.ndarray:
    if problem.kinds is None or "taxonomic" not in problem.kinds:
        raise NotApplicable("these norms do not label which features are taxonomic")
    return np.array(problem.kinds) == "taxonomic"


def _only(problem: Problem, keep: np.ndarray) -> Problem:
    kinds = None if problem.kinds is None else tuple(k for k, kept in zip(problem.kinds, keep) if kept)
    return replace(problem, Y=problem.Y[:, keep], kinds=kinds)


@control("taxonomy-only", keeps="the taxonomic features (a_bird)", destroys="all other features")
def taxonomy_only(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """Y restricted to the features that name a category."""
    return _only(problem, _taxonomic(problem))


@control("taxonomy-removed", keeps="all other features", destroys="the taxonomic features (a_bird)")
def taxonomy_removed(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """Y without the features that name a category."""
    return _only(problem, ~_taxonomic(problem))
