"""Sentences: WikiText-2 in ordinary spelling, from checked bytes."""

import pytest

from interp import corpora, datasets
from interp.corpora import wikitext
from interp.errors import InputError


@pytest.mark.parametrize(
    ("tokenised", "plain"),
    [
        ('He said " stop " , then left .', 'He said "stop", then left.'),
        ("A 700 @-@ ton ship cost 1 @,@ 200 or 3 @.@ 5 % .", "A 700-ton ship cost 1,200 or 3.5%."),
        ("The king 's men ( and he ) didn 't know .", "The king's men (and he) didn't know."),
        ("It cost $ 5 ; they 're sure .", "It cost $5; they're sure."),
    ],
)
def test_spelling(tokenised, plain):
    assert wikitext.spelled(tokenised) == plain


def test_wikitext_is_cut_into_sentences_without_headings_and_unknown_words(monkeypatch):
    text = (
        " = A heading that is long enough to be a sentence . = \n"
        " The first sentence of it has nine words here . The second one , too , has as many of them . Short one .\n"
        " This one has a word that is <unk> to the vocabulary of it .\n"
        " The first sentence of it has nine words here .\n"
    )
    monkeypatch.setattr(datasets, "read", lambda _d, _n: __import__("io").BytesIO(text.encode()))
    assert wikitext.load().texts == (
        "The first sentence of it has nine words here.",
        "The second one, too, has as many of them.",
    )


@pytest.mark.data
def test_the_real_files():
    corpus = corpora.load("wikitext2")
    assert 9000 < len(corpus.texts) < 11000
    assert not [t for t in corpus.texts if "@" in t or " ," in t or " ." in t.rstrip(".")][3:]
    assert corpus.licence == "CC BY-SA 3.0 and GFDL"
    assert len(set(corpus.texts)) == len(corpus.texts)


def test_missing_files_are_one_line(monkeypatch):
    monkeypatch.delenv("INTERP_DATA", raising=False)
    with pytest.raises(InputError, match="interp fetch wikitext2"):
        corpora.load("wikitext2")


def test_contexts_hold_enough_sentences_of_one_length(minilm):
    from interp.attention import one_length

    assert len(one_length(minilm, corpora.load("contexts").texts)) >= 300
