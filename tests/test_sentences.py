"""The embedded sentences: form, and what each table promises."""

import collections
import re

import pytest

from interp import corpora
from interp.corpora.embedded import table
from interp.errors import InputError
from interp.norms import load
from interp.norms.normset import lemma_of
from tests.wording import spelling

TABLES = {
    "plain": ["id", "topic", "sentence"],
    "role_reversal": ["id", "first", "second", "sentence", "reversed"],
    "crossed": ["id", "agent", "patient", "active", "passive", "active_reversed", "passive_reversed"],
    "contexts": ["concept", "sentence"],
    "hypernym_patterns": ["id", "pattern", "order", "expresses"],
}
SENTENCES = {
    "plain": ["sentence"], "role_reversal": ["sentence", "reversed"], "contexts": ["sentence"],
    "crossed": ["active", "passive", "active_reversed", "passive_reversed"],
}  # fmt: skip


def words(sentence):
    return re.findall(r"[A-Za-z]+(?:['-][A-Za-z]+)*", sentence)


def every_sentence():
    return [text for name, columns in SENTENCES.items() for column in columns for text in table(name)[column]]


@pytest.mark.parametrize("name", TABLES)
def test_tables_have_their_columns_and_ids(name):
    rows = table(name)
    assert list(rows.columns) == TABLES[name]
    assert not rows.duplicated().any()
    assert (rows != "").all(axis=None)
    if "id" in rows:
        assert rows["id"].is_unique
        assert rows["id"].str.fullmatch(r"[a-z]{2}\d{3}|hp\d{2}").all()


def test_every_sentence_is_one_clean_sentence():
    texts = every_sentence()
    for text in texts:
        assert text.isascii(), text
        assert re.fullmatch(r"[A-Z].*[^ .?!][.?!]", text), text
        assert not re.search(r"  |\t| [,.;:?!]|[.?!] [A-Z]|\"", text), text
        assert not re.search(r"\b(\w+) \1\b", re.sub("had had|that that", "", text)), text
    assert len(texts) == len(set(texts))


def test_articles_agree_with_the_word_that_follows():
    """Exchanging two nouns must not leave *an* before a consonant."""
    for text in every_sentence():
        assert not re.search(r"\b[Aa] (?!(?:uni|use|usu|eu|one|ukulele))[aeiou]", text), text
        assert not re.search(r"\b[Aa]n (?!hour|honest|heir|x-ray|MP)[^aeiouAEIOU]", text), text


def test_words_are_spelled_the_same_way_everywhere():
    forms = {}
    for text in [*every_sentence(), *(f.replace("_", " ") for f in load("everyday").features)]:
        for word in words(text.lower()):
            forms.setdefault(spelling(word), set()).add(word)
    # A taxi's meter is no metre.
    assert [group for group in forms.values() if len(group) > 1] == [{"meter", "metre"}]


def test_plain_sentences_are_many_long_enough_and_varied():
    rows = table("plain")
    assert len(rows) >= 300
    lengths = rows["sentence"].str.split().str.len()
    assert lengths.between(8, 40).all()
    assert lengths.std() > 5
    assert rows["topic"].nunique() >= 15
    assert rows["topic"].value_counts(normalize=True).max() <= 0.1
    first = rows["sentence"].str.split().str[0]
    assert first.value_counts(normalize=True).max() <= 0.2
    assert first.nunique() >= 100
    assert rows["sentence"].str.endswith("?").sum() >= 10
    assert rows["sentence"].str.contains(",").mean() < 0.8


def test_role_reversals_are_permutations_that_exchange_two_nouns():
    rows = table("role_reversal")
    assert len(rows) >= 150
    for row in rows.itertuples():
        exchange = {row.first: row.second, row.second: row.first}
        before, after = words(row.sentence), words(row.reversed)
        assert sorted(before) == sorted(after)
        # A proper noun that opens the sentence keeps its capital; nothing else changes.
        assert [exchange.get(word, word) for word in before] == after, row.id
        assert before.count(row.first) == before.count(row.second) == 1
        assert re.sub(r"[A-Za-z]", "", row.sentence) != ""
    unordered = rows[["first", "second"]].apply(frozenset, axis=1)
    assert unordered.is_unique


def test_crossed_sentences_cross_voice_with_role():
    """Four sentences each: the agent's and the patient's place in the order and in the grammar come apart."""
    rows = table("crossed")
    assert len(rows) >= 50
    for row in rows.itertuples():
        exchange = {row.agent: row.patient, row.patient: row.agent}
        for one, other in ((row.active, row.active_reversed), (row.passive, row.passive_reversed)):
            assert [exchange.get(word, word) for word in words(one)] == words(other), row.id
        assert words(row.active).index(row.agent) < words(row.active).index(row.patient)
        assert words(row.passive).index(row.agent) > words(row.passive).index(row.patient)
        added = collections.Counter(words(row.passive)) - collections.Counter(words(row.active))
        assert added["was"] + added["is"] == added["by"] == 1
        assert added.total() <= 3  # a strong verb has another participle


def test_contexts_hold_their_concept_once_as_itself():
    """Exactly one place to read the concept's vector from: the word itself, once, and its plural nowhere.

    Capitals do not matter. A longer word that has the concept inside (*ducklings*) is another word.
    """
    rows = table("contexts")
    concepts = load("everyday").concepts
    assert set(rows["concept"]) == set(concepts)
    assert rows.groupby("concept").size().min() >= 3
    for concept, sentence in zip(rows["concept"], rows["sentence"], strict=True):
        word = re.escape(lemma_of(concept))
        assert len(re.findall(rf"(?<![\w-]){word}(?![\w-])", sentence, re.IGNORECASE)) == 1, (concept, sentence)
        assert not re.search(rf"\b{word}e?s\b", sentence, re.IGNORECASE), (concept, sentence)
    assert rows["sentence"].str.split().str.len().between(6, 30).all()
    assert rows["sentence"].is_unique


def test_contexts_do_not_share_an_opening():
    openings = table("contexts")["sentence"].str.split().str[:4].str.join(" ")
    assert openings.value_counts().max() <= 6


def test_hypernym_patterns_take_any_pair():
    rows = table("hypernym_patterns")
    assert len(rows) >= 4
    assert (rows["expresses"] == "hypernymy").all()
    assert rows["pattern"].is_unique
    for row in rows.itertuples():
        slots = re.findall(r"\{(?:[Aa]_)?(concept|category)\}", row.pattern)
        assert sorted(slots) == ["category", "concept"]
        assert (slots[0] == "concept") == (row.order == "concept-first")
        assert re.fullmatch(r"[A-Z{].*\.", row.pattern)
        # No article stands before a bare slot, so that no noun can disagree with it.
        assert not re.search(r"\ban? \{", row.pattern, re.IGNORECASE)
        assert "{" not in re.sub(r"\{(?:[Aa]_)?(?:concept|category)\}", "", row.pattern)
    assert set(rows["order"]) == {"concept-first", "category-first"}


@pytest.mark.parametrize("name", ["plain", "role_reversal", "crossed", "contexts"])
def test_embedded_corpora_are_sentences_to_run_on(name):
    corpus = corpora.load(name)
    assert corpus.licence == "CC0 1.0"
    assert "machine-written" in corpus.source
    assert list(corpus.texts) == [text for row in table(name)[SENTENCES[name]].to_numpy() for text in row]
    assert corpora.identify(name) == corpus.checksum
    assert corpora.CORPORA[name].description


def test_patterns_are_listed_but_are_no_text():
    with pytest.raises(InputError, match="hypernym_patterns holds patterns with two slots"):
        corpora.load("hypernym_patterns")
    assert corpora.CORPORA["hypernym_patterns"].holds == "patterns"


def test_pairs_and_contexts_by_name():
    pair = corpora.role_reversals()[0]
    assert (pair.first, pair.second) == ("nurse", "doctor")
    assert pair.sentence.replace("nurse", "#").replace("doctor", "nurse").replace("#", "doctor") == pair.reversed
    mine = corpora.contexts_of("mouse_(computer)")
    assert len(mine) == 3
    assert mine[0].startswith("Click twice")
    assert "owl" in corpora.contexts_of("mouse_(animal)")[1]
    with pytest.raises(InputError, match="no context sentences for 'mosue'"):
        corpora.contexts_of("mosue")
