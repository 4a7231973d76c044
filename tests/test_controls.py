"""Each control against its definition: what it keeps is kept exactly, what it destroys is gone."""

import numpy as np
import pytest

from interp.controls import CONTROLS, NotApplicable, Problem
from interp.controls.taxonomic import derangement
from interp.inference import crossvalidate
from interp.seeding import generator
from interp.targets import UNCATEGORISED
from tests.planted import planted

CONSONANTS, VOWELS = "bdfgklmnprst", "aeiou"
WORDS = [
    a + v + b + ("" if i % 3 else "aro")
    for i, (a, v, b) in enumerate(zip(CONSONANTS * 20, VOWELS * 48, (CONSONANTS[3:] + CONSONANTS[:3]) * 20))
]
WORDS = list(dict.fromkeys(w + CONSONANTS[i % 7] + VOWELS[i % 5] for i, w in enumerate(WORDS)))


@pytest.fixture
def problem():
    X, norms = planted()
    lemmas = (*WORDS[:119], WORDS[0])  # the last concept is a homonym of the first
    pieces = tuple((len(w), 100 + ord(w[0])) if len(w) > 5 else (200 + ord(w[0]),) for w in lemmas)
    X[-1] = X[0]
    taxonomy = (*norms.taxonomy[:110], *[UNCATEGORISED] * 10)
    return Problem(X, norms.values, lemmas, taxonomy, norms.kinds, pieces)


def build(name, problem, seed=0):
    return CONTROLS[name].build(problem, generator(seed, name))


def sorted_rows(Y):
    return Y[np.lexsort(Y.T)]


DETERMINISTIC = {"taxonomy-only", "taxonomy-removed", "nonsense-length", "nonsense-letters"}


@pytest.mark.parametrize("name", list(CONTROLS))
def test_says_what_it_keeps_and_destroys_and_is_seeded(name, problem):
    control = CONTROLS[name]
    assert control.keeps
    assert control.destroys
    assert control.build.__doc__
    first, again, other = (build(name, problem, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.X, again.X)
    assert np.array_equal(first.Y, again.Y)
    assert sorted(first.lemmas) == sorted(problem.lemmas)
    assert len(first.X) == len(first.Y) == len(problem.Y)
    assert np.isfinite(first.Y).all()
    if name in DETERMINISTIC:
        assert np.array_equal(first.Y, other.Y)
    elif (first.X is not problem.X and first.X is not problem.Y) or first.Y is not problem.Y:
        assert not (np.array_equal(first.X, other.X) and np.array_equal(first.Y, other.Y))


@pytest.mark.parametrize("name", list(CONTROLS))
def test_controls_that_keep_the_targets_do(name, problem):
    assert (build(name, problem).Y is problem.Y) == CONTROLS[name].keeps_targets


def test_upper_bound_maps_the_norms_to_themselves(problem):
    assert build("upper-bound", problem).X is problem.Y


def test_noise_has_the_width_of_the_embedding_and_one_vector_a_word(problem):
    X = build("noise", problem).X
    assert X.shape == problem.X.shape
    assert np.array_equal(X[0], X[-1])
    assert abs(X.mean()) < 0.1
    assert X.std() == pytest.approx(1, abs=0.1)


def test_shuffle_rows_permutes_concepts(problem):
    Y = build("shuffle-rows", problem).Y
    assert np.array_equal(sorted_rows(Y), sorted_rows(problem.Y))
    assert not np.array_equal(Y, problem.Y)


def test_shuffle_columns_permutes_names_and_their_kinds(problem):
    altered = build("shuffle-columns", problem)
    assert np.array_equal(sorted_rows(altered.Y.T), sorted_rows(problem.Y.T))
    taxonomic = np.array(problem.kinds) == "taxonomic"
    assert np.array_equal(
        sorted_rows(altered.Y[:, np.array(altered.kinds) == "taxonomic"].T),
        sorted_rows(problem.Y[:, taxonomic].T),
    )


def test_shuffle_within_rows_keeps_each_concepts_values(problem):
    Y = build("shuffle-within-rows", problem).Y
    assert np.array_equal(np.sort(Y, axis=1), np.sort(problem.Y, axis=1))
    assert not np.array_equal((Y > 0).sum(axis=0), (problem.Y > 0).sum(axis=0))


def test_shuffle_within_columns_keeps_each_features_values(problem):
    Y = build("shuffle-within-columns", problem).Y
    assert np.array_equal(np.sort(Y, axis=0), np.sort(problem.Y, axis=0))
    assert not np.array_equal((Y > 0).sum(axis=1), (problem.Y > 0).sum(axis=1))


def test_shuffle_swap_keeps_both_margins_exactly_and_the_values_of_each_row(problem):
    Y = build("shuffle-swap", problem).Y
    assert np.array_equal((Y > 0).sum(axis=0), (problem.Y > 0).sum(axis=0))
    assert np.array_equal((Y > 0).sum(axis=1), (problem.Y > 0).sum(axis=1))
    assert np.array_equal(np.sort(Y, axis=1), np.sort(problem.Y, axis=1))
    moved = ((Y > 0) & (problem.Y > 0)).sum() / (problem.Y > 0).sum()
    assert moved < 0.5  # what stays in place is little more than chance


def test_shuffle_swap_mixes_like_a_random_matrix_with_these_margins(problem):
    """Co-occurrence of two features that always went together falls to what their margins alone give."""
    Y = problem.Y.copy()
    Y[:, 1] = Y[:, 0]
    together = [
        (s[:, 0] > 0)[s[:, 1] > 0].mean()
        for s in (
            build("shuffle-swap", Problem(problem.X, Y, problem.lemmas, problem.taxonomy), k).Y for k in range(20)
        )
    ]
    expected = (Y[:, 0] > 0).mean()
    assert abs(np.mean(together) - expected) < 0.12


def test_shuffle_swap_does_not_apply_to_dense_ratings(problem):
    dense = Problem(problem.X, np.abs(problem.X) + 0.1, problem.lemmas, problem.taxonomy)
    with pytest.raises(NotApplicable, match="nearly all of them"):
        build("shuffle-swap", dense)


def test_shuffle_both_turns_everything_alike(problem):
    altered = build("shuffle-both", problem)
    order = [
        int(np.flatnonzero((row == problem.Y).all(axis=1) & (x == problem.X).all(axis=1))[0])
        for row, x in zip(altered.Y, altered.X, strict=True)
    ]
    assert sorted(altered.taxonomy) == sorted(problem.taxonomy)
    assert [problem.lemmas[i] for i in order] == list(altered.lemmas)
    assert [problem.taxonomy[i] for i in order] == list(altered.taxonomy)
    assert [problem.pieces[i] for i in order] == list(altered.pieces)


def test_shuffle_both_is_neutral_in_every_score():
    X, norms = planted()
    metrics = ["f1@10", "auc-feature", "r2", "nn@5", "2v2", "rho"]
    scores = crossvalidate(X, norms, controls=["original", "shuffle-both"], folds=5, metrics=metrics)
    for metric in metrics:
        (a, replicates_a), (b, replicates_b) = (scores.sample(c, metric) for c in ("original", "shuffle-both"))
        assert a == pytest.approx(b, abs=1e-9)
        assert np.allclose(replicates_a, replicates_b, atol=1e-6)


def test_random_lookup_gives_words_that_share_pieces_part_of_one_vector(problem):
    X = build("random-lookup", problem).X
    assert X.shape == problem.X.shape
    assert np.array_equal(X[0], X[-1])
    vector = {pieces[0]: x for pieces, x in zip(problem.pieces, X, strict=True) if len(pieces) == 1}
    both = [(p, x) for p, x in zip(problem.pieces, X, strict=True) if len(p) == 2]
    by_piece = {}
    for pieces, x in both:
        by_piece.setdefault(pieces[1], []).append((pieces[0], x))
    pairs = [v for v in by_piece.values() if len({a for a, _ in v}) == 1 and len(v) > 1]
    assert all(np.array_equal(v[0][1], v[1][1]) for v in pairs)
    assert len(vector) > 3


@pytest.mark.parametrize("name", ["random-lookup", "nonsense-hash"])
def test_controls_on_sub_words_need_them(problem, name):
    with pytest.raises(NotApplicable, match="needs the sub-words"):
        build(name, Problem(problem.X, problem.Y, problem.lemmas, problem.taxonomy))


def test_random_dense_is_standard_normal(problem):
    Y = build("random-dense", problem).Y
    assert Y.shape == problem.Y.shape
    assert Y.mean() == pytest.approx(0, abs=0.05)
    assert Y.std() == pytest.approx(1, abs=0.05)


def test_random_sparse_has_the_density_and_the_values(problem):
    Y = build("random-sparse", problem).Y
    assert (Y != 0).mean() == pytest.approx((problem.Y != 0).mean(), rel=0.1)
    assert set(Y[Y != 0]) <= set(problem.Y[problem.Y != 0])


def test_random_spectrum_keeps_spectrum_feature_geometry_and_means(problem):
    Y = build("random-spectrum", problem).Y
    assert np.allclose(Y.mean(axis=0), problem.Y.mean(axis=0))
    a, b = Y - Y.mean(axis=0), problem.Y - problem.Y.mean(axis=0)
    assert np.allclose(np.linalg.svd(a, compute_uv=False), np.linalg.svd(b, compute_uv=False))
    assert np.allclose(a.T @ a, b.T @ b)
    assert not np.allclose(a @ a.T, b @ b.T)


def test_taxonomy_within_keeps_each_categorys_rows(problem):
    Y = build("taxonomy-within", problem).Y
    taxonomy = np.array(problem.taxonomy)
    for category in set(problem.taxonomy):
        rows = taxonomy == category
        assert np.array_equal(sorted_rows(Y[rows]), sorted_rows(problem.Y[rows]))
    assert not np.array_equal(Y, problem.Y)


def test_taxonomy_between_gives_each_category_the_rows_of_another(problem):
    Y = build("taxonomy-between", problem).Y
    taxonomy = np.array(problem.taxonomy)
    donors = derangement(
        {c: np.flatnonzero(taxonomy == c) for c in set(problem.taxonomy) - {UNCATEGORISED}},
        generator(0, "any"),
    )
    assert all(a != b for a, b in donors.items())
    assert sorted(donors) == sorted(donors.values())
    rows_of = {c: {tuple(r) for r in problem.Y[taxonomy == c]} for c in set(problem.taxonomy)}
    for category in set(problem.taxonomy) - {UNCATEGORISED}:
        got = [tuple(r) for r in Y[taxonomy == category]]
        sources = [c for c in rows_of if c != category and set(got) <= rows_of[c]]
        assert len(sources) == 1
        most = max(got.count(r) for r in set(got))
        assert most <= -(-len(got) // min(len(got), len(rows_of[sources[0]])))  # dealt evenly, then again
    alone = taxonomy == UNCATEGORISED
    assert np.array_equal(sorted_rows(Y[alone]), sorted_rows(problem.Y[alone]))


@pytest.mark.parametrize("sizes", [[5, 9], [3, 3, 7], [2, 4, 4, 8, 9], [2, 2, 3, 5, 8, 13]])
def test_categories_exchange_with_neighbours_in_size(sizes):
    members = {f"c{i}": np.arange(n) for i, n in enumerate(sizes)}
    for seed in range(20):
        donors = derangement(members, generator(seed, "d"))
        assert sorted(donors) == sorted(donors.values()) == sorted(members)
        assert all(a != b for a, b in donors.items())
        ranked = sorted(sizes)
        assert all(abs(ranked.index(len(members[a])) - ranked.index(len(members[b]))) <= 3 for a, b in donors.items())


def test_taxonomy_only_and_removed_part_the_features(problem):
    only, removed = build("taxonomy-only", problem), build("taxonomy-removed", problem)
    assert set(only.kinds) == {"taxonomic"}
    assert "taxonomic" not in removed.kinds
    assert only.Y.shape[1] + removed.Y.shape[1] == problem.Y.shape[1]


@pytest.mark.parametrize("name", ["taxonomy-within", "taxonomy-between"])
def test_taxonomic_controls_need_categories(problem, name):
    with pytest.raises(NotApplicable, match="at least two categories"):
        build(name, Problem(problem.X, problem.Y, problem.lemmas, (UNCATEGORISED,) * 120))


@pytest.mark.parametrize("name", ["taxonomy-only", "taxonomy-removed"])
def test_taxonomic_features_need_labels(problem, name):
    with pytest.raises(NotApplicable, match="do not label"):
        build(name, Problem(problem.X, problem.Y, problem.lemmas, problem.taxonomy))


def test_nonsense_length_is_the_difference_of_lengths(problem):
    Y = build("nonsense-length", problem).Y
    assert Y.shape == (120, 120)
    for i, j in [(0, 1), (3, 70), (119, 2)]:
        assert Y[i, j] == abs(len(problem.lemmas[i]) - len(problem.lemmas[j]))


def test_nonsense_letters_counts_letters_and_frequent_bigrams(problem):
    Y = build("nonsense-letters", problem).Y
    letters = sorted({c for w in problem.lemmas for c in w})
    units = sorted(letters + [a + b for a in letters for b in letters if sum(a + b in w for w in problem.lemmas) >= 5])
    assert Y.shape == (120, len(units))
    for i in (0, 17, 118):
        word = problem.lemmas[i]
        assert Y[i].tolist() == [sum(word[k : k + len(u)] == u for k in range(len(word))) for u in units]


def test_nonsense_hash_is_the_union_of_what_the_pieces_own(problem):
    Y = build("nonsense-hash", problem).Y
    assert np.array_equal(Y[0], Y[-1])
    by_pieces = {}
    for pieces, row in zip(problem.pieces, Y, strict=True):
        assert np.array_equal(by_pieces.setdefault(pieces, row), row)
    assert 0.5 < (Y > 0).sum() / (problem.Y > 0).sum() < 1.5
    common = (problem.Y > 0).sum(axis=0)
    drawn = sum((build("nonsense-hash", problem, seed).Y > 0).sum(axis=0) for seed in range(20))
    assert np.corrcoef(common, drawn)[0, 1] > 0.8


def test_nonsense_embedding_ranks_concepts_by_a_direction(problem):
    Y = build("nonsense-embedding", problem).Y
    assert np.array_equal(np.sort(Y, axis=0), np.sort(problem.Y, axis=0))
    rng = generator(0, "nonsense-embedding")
    direction = rng.standard_normal((problem.X.shape[1], problem.Y.shape[1]))
    score = (problem.X - problem.X.mean(axis=0)) @ direction
    for f in range(0, 60, 7):
        order = np.argsort(score[:, f], kind="stable")
        assert (np.diff(Y[order, f]) >= 0).all()


def test_nonsense_embedding_can_be_predicted_and_nonsense_hash_by_sub_words_only(problem):
    """What a control keeps, a mapping finds; what it destroys, none does."""
    from tests.planted import Planted

    norms = Planted(problem.Y, problem.lemmas, problem.taxonomy, problem.kinds)
    scores = crossvalidate(
        problem.X,
        norms,
        controls=["original", "nonsense-embedding", "nonsense-hash"],
        folds=5,
        metrics=["auc-feature"],
        pieces=problem.pieces,
    )
    assert scores.sample("nonsense-embedding", "auc-feature")[0] > 0.8
    assert abs(scores.sample("nonsense-hash", "auc-feature")[0] - 0.5) < 0.1


def test_a_control_that_does_not_apply_is_skipped_with_its_reason():
    X, norms = planted()
    scores = crossvalidate(X, norms, controls=["original", "random-lookup"], folds=4, metrics=["r2"])
    assert "needs the sub-words" in scores.skipped["random-lookup"]
    assert np.isnan(scores.sample("random-lookup", "r2")[0])
