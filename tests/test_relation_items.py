"""Negatives are what they say they are, patterns are filled in properly."""

from collections import Counter

import numpy as np
import pytest

from interp import norms, subjects
from interp.attention.relation_items import CALIPER, NEGATIVES, items
from interp.corpora import patterns as pattern_table
from interp.errors import InputError
from interp.norms.superordinates import hyponymy
from interp.studies.relation_probe import nouns_for


@pytest.fixture(scope="module")
def nouns():
    model = subjects.load("minilm")
    return nouns_for(model, hyponymy(norms.load("everyday"), count=160))


@pytest.fixture(scope="module")
def drawn(nouns):
    return items(nouns, list(NEGATIVES), seed=3)


def halves(drawn, kind):
    mine = drawn[drawn["negatives"] == kind]
    true, wrong = mine[mine["hypernymy"]], mine[~mine["hypernymy"]]
    return true.set_index("concept"), wrong.set_index("concept").loc[true["concept"]]


@pytest.mark.parametrize("kind", list(NEGATIVES))
def test_every_concept_stands_in_one_true_and_one_wrong_pair(drawn, nouns, kind):
    true, wrong = halves(drawn, kind)
    assert len(true) == len(wrong) > 50
    assert set(true.index) == set(wrong.index)
    assert true.index.is_unique
    assert wrong.index.is_unique
    hypernym = dict(zip(nouns.concepts, nouns.hypernyms))
    assert all(hypernym[concept] == slot for concept, slot in true["slot"].items())


@pytest.mark.parametrize("kind", list(NEGATIVES))
def test_no_wrong_pair_is_known_to_be_true(drawn, nouns, kind):
    _, wrong = halves(drawn, kind)
    for concept, slot in wrong["slot"].items():
        assert slot not in nouns.above[concept]
        assert slot != concept
        assert slot not in concept
        assert concept not in slot


def test_redealt_hypernyms_stand_in_the_slot_as_often_wrongly_as_rightly(drawn, nouns):
    true, wrong = halves(drawn, "re-dealt")
    assert Counter(true["slot"]) == Counter(wrong["slot"]) == Counter(nouns.hypernyms)


@pytest.mark.parametrize("kind", ["re-dealt-matched", "other-noun"])
def test_matched_pairs_differ_in_similarity_by_no_more_than_the_caliper(drawn, nouns, kind):
    true, wrong = halves(drawn, kind)
    spread = np.diag(nouns.similarity(nouns.concepts, nouns.hypernyms)).std()
    assert (true["similarity"] - wrong["similarity"]).abs().max() <= CALIPER * spread
    unmatched_true, unmatched_wrong = halves(drawn, "re-dealt")
    assert unmatched_true["similarity"].mean() - unmatched_wrong["similarity"].mean() > spread / 2


def test_matched_hypernyms_are_hypernyms_and_other_nouns_are_nobodys(drawn, nouns):
    assert set(halves(drawn, "re-dealt-matched")[1]["slot"]) <= set(nouns.hypernyms)
    _, other = halves(drawn, "other-noun")
    every = frozenset().union(*nouns.listed.values())
    assert not set(other["slot"]) & every
    assert all(not nouns.listed[concept] & nouns.listed[slot] for concept, slot in other["slot"].items())
    assert other["slot"].is_unique


def test_a_cohyponym_has_the_same_hypernym(drawn):
    true, wrong = halves(drawn, "co-hyponym")
    listed = hyponymy(norms.load("everyday")).listed
    assert all(true.loc[concept, "slot"] in listed[slot] for concept, slot in wrong["slot"].items())
    assert all(true.loc[concept, "slot"] != slot for concept, slot in wrong["slot"].items())


def test_the_same_seed_draws_the_same_and_another_seed_others(nouns):
    first, again, other = (items(nouns, ["re-dealt"], seed=s) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    # A kind does not depend on which other kinds are drawn.
    both = items(nouns, ["co-hyponym", "re-dealt"], seed=1)
    assert both[both["negatives"] == "re-dealt"].reset_index(drop=True).equals(first)


def test_an_unknown_kind_is_a_line(nouns):
    with pytest.raises(InputError, match="unknown kind of negatives 're-delt'; did you mean 're-dealt'"):
        items(nouns, ["re-delt"])


@pytest.mark.parametrize(("noun", "wanted"), [
    ("robin", "a"), ("otter", "an"), ("apple", "an"), ("unicycle", "a"), ("utensil", "a"), ("umbrella", "an"),
    ("hourglass", "an"), ("house", "a"), ("ewe", "a"), ("eucalyptus", "a"), ("eel", "an"), ("ukulele", "a"),
    ("onion", "an"), ("Egg", "an"), ("yo-yo", "a"), ("undergarment", "an"),
])  # fmt: skip
def test_articles(noun, wanted):
    assert pattern_table.article(noun) == wanted


def test_every_pattern_is_filled_and_its_spans_hold_the_nouns():
    for pattern in pattern_table.patterns().values():
        filled = pattern_table.fill(pattern, "umbrella", "clothing", mass={"clothing"})
        assert "{" not in filled.text
        assert filled.text[0].isupper()
        assert filled.text[slice(*filled.concept)].lower() == "umbrella"
        assert filled.text[slice(*filled.category)].lower() == "clothing"
        assert "a clothing" not in filled.text
        assert not {"a umbrella", "A umbrella"} & {filled.text[max(0, filled.concept[0] - 2) : filled.concept[1]]}


def test_a_noun_without_article_at_the_start_is_capitalised():
    filled = pattern_table.fill("{A_concept} is {a_category}.", "water", "drink", mass={"water"})
    assert filled.text == "Water is a drink."
    assert filled.concept == (0, 5)


def test_an_unknown_pattern_is_a_line():
    with pytest.raises(InputError, match="unknown pattern 'hp99'"):
        pattern_table.patterns(["hp99"])
