"""The embedded norms: their form, one phrase for one idea, and the marginals that McRae's norms have.

What one tests here is the content of a data file, so that a correction by hand cannot quietly break it.
"""

import collections
import csv
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from rapidfuzz.distance import OSA

from interp.norms import describe, load
from interp.norms.everyday import FILE
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
    assert (rows.groupby("concept")["category"].nunique() == 1).all()
    assert (rows.groupby("feature")["kind"].nunique() == 1).all()
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
    """`bat_(animal)` and `bat_(sport)`: one lemma, so they stay in one fold; no name is used with and without a mark."""
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


def coincidences(mine, theirs):
    """Pairs both have with the same frequency, and how many a smooth relation of the two would give.

    Both sets rate how readily a feature comes to mind, so their frequencies agree more often than shuffled ones. But
    who copies gets differences of exactly zero and no more ones and twos: the expectation is a parabola through the
    counts of the differences -4..4 without 0, taken at 0.
    """
    difference = np.subtract(mine, theirs)
    around = [d for d in range(-4, 5) if d]
    expected = np.polyval(np.polyfit(around, [(difference == d).sum() for d in around], 2), 0)
    return int((difference == 0).sum()), float(expected)


def by_pair(norms):
    return {
        (norms.concepts[i], norms.features[j]): norms.values[i, j] for i, j in zip(*np.nonzero(norms.values), strict=True)
    }


@pytest.mark.data
def test_frequencies_are_not_copied_from_mcrae(norms):
    """Criterion: no more equal frequencies than the 99 % quantile of a Poisson about the smooth expectation.

    It would notice if every twentieth shared pair had been copied, which is planted to show it.
    """
    from scipy.stats import poisson

    mine, theirs = by_pair(norms), by_pair(load("mcrae"))
    shared = sorted(set(mine) & set(theirs))
    x, y = (np.array([of[pair] for pair in shared]) for of in (mine, theirs))
    equal, expected = coincidences(x, y)
    assert equal <= poisson.ppf(0.99, expected)

    copied = np.random.default_rng(0).random(len(shared)) < 0.05
    equal, expected = coincidences(np.where(copied, y, x), y)
    assert equal > poisson.ppf(0.99, expected)


@pytest.mark.data
def test_no_row_is_mcraes(norms):
    """The most that a concept shares with McRae's of that name is three quarters of its features; the mean is a third."""
    mine, theirs = (
        {c: {f for f, v in zip(s.features, row, strict=True) if v} for c, row in zip(s.concepts, s.values, strict=True)}
        for s in (norms, load("mcrae"))
    )
    shares = [len(mine[c] & theirs[c]) / len(mine[c]) for c in mine.keys() & theirs.keys()]
    assert len(shares) > 300
    assert max(shares) <= 0.75
    assert np.mean(shares) < 0.4
