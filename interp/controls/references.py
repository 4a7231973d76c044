"""Reference points: the real problem, its floor and its ceilings, and inputs that know nothing."""

from dataclasses import replace

import numpy as np

from interp.controls.problem import NotApplicable, Problem, control


@control("original", keeps="everything", destroys="nothing", keeps_targets=True)
def original(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """The real embeddings and the real norms."""
    return problem


@control(
    "upper-bound",
    keeps="the norms, as input and as target",
    destroys="the embedding, which is not used at all",
    keeps_targets=True,
)
def upper_bound(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """X := Y. With PLSR this is a principal component analysis of Y: a reference, not a bound; it can be beaten."""
    return replace(problem, X=problem.Y)


@control(
    "oracle",
    keeps="everything",
    destroys="nothing; the best value a metric can take",
    keeps_targets=True,
    predictor="truth",
)
def oracle(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """Predicts Y itself."""
    return problem


@control(
    "mean-vector",
    keeps="how common each feature is",
    destroys="any input",
    keeps_targets=True,
    predictor="training mean",
)
def mean_vector(problem: Problem, rng: np.random.Generator) -> Problem:  # noqa: ARG001
    """Predicts the training mean for every concept: the floor."""
    return problem


@control("noise", keeps="the norms", destroys="the embedding", keeps_targets=True)
def noise(problem: Problem, rng: np.random.Generator) -> Problem:
    """X := standard normal of the same width. Concepts with one lemma get one vector, as the real ones do."""
    words, word_of = np.unique(np.asarray(problem.lemmas), return_inverse=True)
    return replace(problem, X=rng.standard_normal((len(words), problem.X.shape[1]))[word_of])


@control(
    "random-lookup",
    keeps="which words share sub-words",
    destroys="what the vectors mean",
    keeps_targets=True,
)
def random_lookup(problem: Problem, rng: np.random.Generator) -> Problem:
    """X := one standard normal vector per WordPiece, averaged over a word's pieces like the real one."""
    if problem.pieces is None:
        raise NotApplicable("random-lookup needs the sub-words of each lemma; these embeddings came without them")
    known = sorted({piece for pieces in problem.pieces for piece in pieces})
    vector = dict(zip(known, rng.standard_normal((len(known), problem.X.shape[1]))))
    return replace(problem, X=np.stack([np.mean([vector[p] for p in pieces], axis=0) for pieces in problem.pieces]))
