"""Pairs for the relation probe: what counts as a noun above another, and what must never be written down as wrong."""

from collections import Counter

import numpy as np
import pytest

from interp import norms
from interp.errors import InputError
from interp.norms import wordnet
from interp.norms.normset import NormSet
from interp.norms.superordinates import NO_CATEGORY, hyponymy, is_plural, noun_of


@pytest.mark.parametrize(
    ("feature", "noun"),
    [
        ("a_bird", ("bird", False)),
        ("an_animal", ("animal", False)),
        ("clothing", ("clothing", True)),
        ("a_piece_of_clothing", ("clothing", True)),
        ("a_kind_of_soap", ("soap", True)),
        ("a_type_of_a_boat", ("boat", True)),
        ("a_musical_instrument", ("instrument", False)),
        ("a_footwear", ("footwear", True)),
        ("a_bird_of_prey", None),
        ("a_part_of_a_house", None),
        ("a_body_part", None),
        ("a_coniferous", None),
        ("a_baby_is_a_kitten", None),
    ],
)
def test_a_superordinate_becomes_one_noun(feature, noun):
    assert noun_of(feature) == noun


def test_plurals_are_told_from_singulars_in_s():
    assert all(map(is_plural, ["jeans", "scissors", "gloves", "beans"]))
    assert not any(map(is_plural, ["bus", "grass", "octopus", "rhinoceros", "iris", "robin"]))


@pytest.fixture(scope="module")
def everyday():
    return norms.load("everyday")


@pytest.mark.parametrize("count", [None, 40, 101])
def test_pairs_are_named_by_the_norms_each_lemma_once_each_hypernym_twice(everyday, count):
    found = hyponymy(everyday, count=count)
    lemmas = [lemma for lemma, _ in found.pairs]
    assert len(set(lemmas)) == len(lemmas)
    assert min(Counter(noun for _, noun in found.pairs).values()) >= 2
    if count is not None:
        assert count - 1 <= len(found.pairs) <= count
    by_lemma: dict[str, set[str]] = {}
    for i, j in np.argwhere(everyday.values > 0):
        if everyday.kinds[j] == "taxonomic":
            by_lemma.setdefault(everyday.lemmas[i], set()).add(everyday.features[j])
    for lemma, noun in found.pairs:
        assert any(feature.split("_")[-1] == noun for feature in by_lemma[lemma]), (lemma, noun)
        assert noun not in lemma
        assert noun not in NO_CATEGORY
        assert noun in found.above[lemma]


def test_few_pairs_are_spread_over_many_hypernyms(everyday):
    assert max(Counter(noun for _, noun in hyponymy(everyday, count=100).pairs).values()) <= 3


def small(features_of: dict[str, list[str]], kind: str = "superordinate") -> NormSet:
    features = sorted({f for mine in features_of.values() for f in mine})
    values = np.array([[float(f in mine) for f in features] for mine in features_of.values()])
    concepts = tuple(features_of)
    return NormSet(
        "small", concepts, tuple(c.split("_(")[0] for c in concepts), tuple(features), values,
        ("uncategorised",) * len(concepts), (kind,) * len(features), "count", "nobody", "none",
    )  # fmt: skip


GROUPS = {
    "robin": ["a_bird", "an_animal"],
    "sparrow": ["a_bird"],
    "otter": ["an_animal"],
    "dog": ["an_animal", "a_pet"],
    "hammer": ["a_tool"],
    "saw": ["a_tool"],
    "pear": ["a_fruit"],
    "plum": ["a_fruit"],
}


def test_what_is_above_what_one_named_is_above_though_nobody_said_so():
    above = hyponymy(small(GROUPS)).above
    assert above["sparrow"] == {"bird", "animal"}  # robin is both, and more are animals than birds
    assert above["otter"] == {"animal"}  # but no bird and no pet, although some animals are
    assert above["hammer"] == {"tool"}


def test_homonyms_share_one_lemma_and_both_their_hypernyms():
    found = hyponymy(small({**GROUPS, "bat_(animal)": ["an_animal"], "bat_(club)": ["a_tool"]}))
    assert found.listed["bat"] == {"animal", "tool"}
    assert [lemma for lemma, _ in found.pairs].count("bat") == 1


def test_norms_that_say_nothing_about_kinds_are_refused_in_a_line():
    with pytest.raises(InputError, match="norms small: no feature is of kind 'superordinate' or 'taxonomic'"):
        hyponymy(small(GROUPS, kind="colour"))
    with pytest.raises(InputError, match="too few for a relation probe"):
        hyponymy(small({k: v for k, v in GROUPS.items() if k in ("robin", "sparrow")}))


@pytest.mark.data
def test_mcrae_takes_its_superordinates_and_not_all_that_is_taxonomic():
    found = hyponymy(norms.load("mcrae"), with_wordnet=True)
    assert len(found.pairs) > 300
    nouns = {noun for _, noun in found.pairs}
    assert {"bird", "clothing", "vehicle", "instrument"} <= nouns
    assert "kitten" not in {noun for listed in found.listed.values() for noun in listed}
    assert {"clothing", "furniture"} <= found.mass


@pytest.mark.data
def test_wordnet_walks_up_over_all_senses():
    above = wordnet.ancestors(["robin", "alligator", "no such word"])
    assert {"bird", "vertebrate", "animal", "entity"} <= above["robin"]
    assert {"reptile", "leather"} <= above["alligator"]
    assert "robin" not in above["robin"]
    assert "instrument" not in above["robin"]
    assert above["no such word"] == frozenset()
