"""The embedded norms: their form, one phrase for one idea, and the marginals that McRae's norms have.

What one tests here is the content of a data file, so that a correction by hand cannot quietly break it.
"""

import collections
import csv
import dataclasses
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from rapidfuzz.distance import OSA

from interp.norms import describe, load, overlap
from interp.norms.everyday import FILE
from interp.norms.overlap import coincidences
from tests.reviewed_features import ONE_LETTER, ONE_STEM, pairs
from tests.wording import singular, spelling, stem

KINDS = {
    "taxonomic", "visual-form", "visual-colour", "visual-motion", "sound", "taste", "smell", "touch", "function",
    "encyclopaedic",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(FILE, sep="\t", dtype=str, keep_default_na=False, quoting=csv.QUOTE_NONE, encoding="utf-8")


@pytest.fixture(scope="module")
def features(rows):
    return sorted(set(rows["feature"]))


@pytest.fixture(scope="module")
def norms():
    return load("everyday")


def test_every_line_has_the_form(rows):
    content = FILE.read_bytes()
    assert content.isascii()
    assert content.endswith(b"\n")
    assert not re.search(rb"\r|  | \t|\t |\t\n|\n\n", content)
    assert list(rows.columns) == ["concept", "feature", "value", "kind", "category"]
    assert rows["concept"].str.fullmatch(r"[a-z][a-z-]*( [a-z]+)?(_\([a-z]+\))?").all()
    assert rows["feature"].str.fullmatch(r"[a-z]+(-[a-z]+)*(_[a-z]+(-[a-z]+)*)*").all()
    assert rows["value"].str.fullmatch(r"\d+").all()
    assert rows["value"].astype(int).between(5, 30).all()
    assert set(rows["kind"]) == KINDS


def test_nothing_is_there_twice_and_concepts_stand_together(rows):
    assert not rows.duplicated(["concept", "feature"]).any()
    blocks = [name for name, _ in itertools.groupby(rows["concept"])]
    assert len(blocks) == len(set(blocks))
    assert len(rows.drop_duplicates(["concept", "category"])) == rows["concept"].nunique()
    assert len(rows.drop_duplicates(["feature", "kind"])) == rows["feature"].nunique()
    assert rows.groupby("concept")["feature"].agg(frozenset).is_unique


def test_kinds_agree_with_the_phrasing(rows):
    """`a_bird` is taxonomic and nothing else is; what a thing is used for is a function."""
    kinds = rows.drop_duplicates("feature").set_index("feature")["kind"]
    classes = kinds.index.str.match("an?_")
    assert (kinds[classes] == "taxonomic").all()
    assert (kinds[~classes] != "taxonomic").all()
    assert (kinds[kinds.index.str.startswith("used_for_")] == "function").all()
    for start, kind in (("tastes_", "taste"), ("smells_", "smell"), ("sounds_", "sound")):
        assert (kinds[kinds.index.str.startswith(start)] == kind).all()


def test_features_one_letter_apart_are_different_features(features):
    near = {
        frozenset((a, b))
        for a, b in itertools.combinations(features, 2)
        if abs(len(a) - len(b)) <= 1 and OSA.distance(a, b, score_cutoff=1) <= 1
    }
    assert near == pairs(ONE_LETTER)


def alike(features, key):
    groups = collections.defaultdict(set)
    for feature in features:
        groups[key(feature)].add(feature)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def test_a_feature_is_not_there_in_singular_and_plural(features):
    """`has_a_wing` beside `has_wings`; the five that look so are two things each (a map's scale, a fish's scales)."""
    found = alike(features, lambda f: " ".join(map(singular, re.sub(r"_(an?|the|its|their)(?=_)", "", f).split("_"))))
    assert found == {
        frozenset({"has_a_hand", "has_hands"}),  # an arm; a clock
        frozenset({"has_a_line", "has_lines"}),  # a fishing rod; a notebook
        frozenset({"has_a_scale", "has_scales"}),  # a map; a fish
        frozenset({"has_a_spine", "has_spines"}),  # a book; a hedgehog
        frozenset({"has_a_string", "has_strings"}),  # a kite; a violin
    }


def test_one_idea_has_one_phrase(features):
    """`is_hairy` beside `has_hair`, `a_tool` beside `used_as_a_tool`, `made_of_x` beside `made_from_x`."""
    empty = {"is", "are", "has", "have", "a", "an", "the", "used", "as", "for", "can", "be", "it", "its"}

    def words(feature):
        plain = feature.replace("made_from", "made_of").replace("comes_from", "made_of")
        return tuple(sorted(stem(w) for w in plain.split("_") if w not in empty))

    assert alike(features, words) == pairs(ONE_STEM)


def test_a_word_has_one_spelling(features):
    assert not alike({w for f in features for w in f.split("_")}, spelling)


def test_no_concept_has_two_phrasings_of_one_idea(rows):
    """Within a concept even a reviewed look-alike is a double, but for the pencil's writing and its eraser."""
    doubles = {
        (concept, group & set(mine["feature"]))
        for concept, mine in rows.groupby("concept")
        for group in pairs(ONE_STEM)
        if len(group & set(mine["feature"])) > 1
    }
    assert doubles == {("pencil", frozenset({"can_be_erased", "has_an_eraser"}))}


def test_marginals_are_near_mcraes(norms):
    found = describe(norms)
    assert found["concepts"] >= 500
    assert (norms.values > 0).sum() >= 6000
    assert found["categories"] >= 20
    assert found["uncategorised"] == 0
    assert 12 <= found["features a concept"] <= 14
    assert (norms.values > 0).sum(axis=1).min() >= 8
    assert 0.004 <= norms.density <= 0.009
    carried = (norms.values > 0).sum(axis=0)
    assert carried.min() >= 1
    assert (carried <= 2).mean() > 0.5
    assert (carried >= 24).sum() >= 20
    assert np.array_equal(norms.values, norms.values.round())
    frequencies = norms.values[norms.values > 0]
    assert frequencies.min() == 5
    assert frequencies.max() <= 30
    assert np.median(frequencies) < frequencies.mean()  # skewed: most features come to few minds


def test_every_concept_and_category_is_classed_at_one_or_two_levels(rows):
    """Each concept names one to three classes; a category's commonest class holds at least half of it."""
    classes = rows[rows["kind"] == "taxonomic"]
    named = classes.groupby("concept").size().reindex(rows["concept"].unique(), fill_value=0)
    assert named.min() >= 1
    assert named.max() <= 3
    for category, mine in classes.groupby("category"):
        size = rows.loc[rows["category"] == category, "concept"].nunique()
        assert mine["feature"].value_counts().iloc[0] >= size / 2, category


def test_homonyms_are_marked_as_in_mcrae(norms):
    """`bat_(animal)` and `bat_(sport)`: one lemma, no name is used with and without a mark."""
    count = collections.Counter(norms.lemmas)
    assert {lemma for lemma, n in count.items() if n > 1} == {"bat", "crane", "mouse", "nail", "tank"}
    for concept, lemma in zip(norms.concepts, norms.lemmas, strict=True):
        if count[lemma] > 1:
            assert re.fullmatch(rf"{lemma}_\([a-z]+\)", concept)


def test_minilm_spells_every_concept_without_unknown_tokens(norms, minilm):
    pieces = [minilm.pieces(lemma) for lemma in norms.lemmas]
    assert all(minilm.tokenizer.unk_token_id not in p for p in pieces)
    assert np.mean([len(p) == 1 for p in pieces]) > 0.6
    assert len(set(pieces)) == len(set(norms.lemmas))


@pytest.mark.data
def test_it_is_not_copied_from_mcrae(norms):
    """Criterion: no more equal frequencies than the 99 % quantile of a Poisson about the smooth expectation, and no
    concept with more than three quarters of its features in common.

    The criterion would notice if every twentieth shared pair had been copied, which is planted to show it.
    """
    mcrae = load("mcrae")
    found = overlap(norms, mcrae)
    assert found.concepts > 300
    assert found.shared > 1000
    assert found.equal <= found.most
    assert found.largest_share <= 0.75
    assert found.shared / found.pairs < 0.4

    values = norms.values.copy()
    theirs = dict(zip(mcrae.concepts, mcrae.values, strict=True))
    column = {feature: j for j, feature in enumerate(mcrae.features)}
    random = np.random.default_rng(0)
    for i, j in zip(*np.nonzero(values), strict=True):
        concept, feature = norms.concepts[i], norms.features[j]
        if concept in theirs and feature in column and theirs[concept][column[feature]] and random.random() < 0.05:
            values[i, j] = theirs[concept][column[feature]]
    planted = overlap(dataclasses.replace(norms, values=values), mcrae)
    assert planted.equal > planted.most


def test_coincidences_of_a_smooth_relation_are_expected_and_copies_are_not():
    """Two noisy readings of one quantity agree as often as a smooth curve through their disagreements says."""
    random = np.random.default_rng(1)
    truth = random.normal(12, 4, 4000)
    x, y = (np.rint(truth + random.normal(0, 3, truth.size)) for _ in range(2))
    equal, expected = coincidences(x, y)
    assert abs(equal - expected) < 3 * np.sqrt(expected)
    copied = np.where(np.arange(truth.size) % 20 == 0, y, x)
    equal, expected = coincidences(copied, y)
    assert equal > expected + 4 * np.sqrt(expected)


def test_overlap_counts_what_two_sets_share(norms):
    """With itself, everything; with a set of other frequencies, the pairs and none of the numbers."""
    same = overlap(norms, norms)
    assert (same.concepts, same.pairs, same.shared, same.equal) == (641, same.pairs, same.pairs, same.pairs)
    assert same.pairs == (norms.values > 0).sum()
    assert same.equal > same.most
    shifted = overlap(norms, dataclasses.replace(norms, values=np.where(norms.values > 0, norms.values + 40, 0.0)))
    assert (shifted.shared, shifted.equal, shifted.largest_share) == (same.pairs, 0, 1.0)
