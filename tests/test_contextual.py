"""Words in context: where they stand, what their vectors are, and that a vector knows only what its form lets it."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from interp import corpora, norms, studies
from interp.corpora import prose
from interp.errors import InputError
from interp.subjects.contextual import FORMS, contextual_vectors

FAMILIES = ["bert", "gpt2", "llama", "gpt_neox"]
TEXTS = ["the cat sat on the mat and looked out", "a small cat went home", "we saw the red house near the river"]


def place(text, word):
    start = text.index(word)
    return (text, start, start + len(word))


PLACES = [[place(TEXTS[0], "cat"), place(TEXTS[1], "cat")], [place(TEXTS[2], "house")]]


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


@pytest.fixture
def masking(tiny):
    """The encoder with a mask token."""
    coder = copy.deepcopy(tiny["bert"].tokenizer)
    coder.mask_token = "[UNK]"
    return dataclasses.replace(tiny["bert"], tokenizer=coder)


def test_every_concept_of_everyday_stands_in_its_three_sentences():
    everyday = norms.load("everyday")
    found = corpora.drawn_contexts(everyday.concepts, everyday.lemmas, "contexts", 3)
    assert [len(mine) for mine in found] == [3] * len(everyday.concepts)
    for lemma, mine in zip(everyday.lemmas, found, strict=True):
        assert {text[a:b].casefold() for text, a, b in mine} == {lemma.casefold()}


def test_senses_have_their_own_sentences():
    animal, sport = corpora.drawn_contexts(["bat_(animal)", "bat_(sport)"], ["bat", "bat"], "contexts", 3)
    assert not {c.text for c in animal} & {c.text for c in sport}


@pytest.fixture
def books(monkeypatch):
    lines = [
        "The old owl sat in the tree all night.",
        "An owl and another owl are two of them here.",  # twice
        "Owl!",  # too short
        "The owl-like face looked at him out of the dark.",  # another word
        "Then the Owl flew away over the silent fields.",
        "The old owl sat in the tree all night.",  # again
        "Nothing of that kind was ever seen in these parts.",
        "The polar bear swam from one floe to the next.",
    ]
    table = pd.DataFrame({"doc": "d01", "paragraph": "1", "sentence": lines})
    monkeypatch.setattr(prose, "sentences", lambda: table)
    return lines


def test_contexts_from_books_have_the_word_once(books):
    owl, bear, cat = corpora.drawn_contexts(["owl", "polar_bear", "cat"], ["owl", "polar bear", "cat"], "prose", 1)
    assert owl[0].text in (books[0], books[4])
    assert bear[0].text[bear[0].start : bear[0].end] == "polar bear"
    assert cat == ()
    (both,) = corpora.drawn_contexts(["owl"], ["owl"], "prose", 2)
    assert {c.text for c in both} == {books[0], books[4]}
    assert corpora.drawn_contexts(["owl"], ["owl"], "prose", 3) == [()]


def test_a_draw_depends_on_the_word_and_the_seed_alone(books):
    alone = corpora.drawn_contexts(["owl"], ["owl"], "prose", 1)
    assert corpora.drawn_contexts(["cat", "owl"], ["cat", "owl"], "prose", 1)[1:] == alone
    drawn = {corpora.drawn_contexts(["owl"], ["owl"], "prose", 1, seed)[0][0].text for seed in range(20)}
    assert drawn == {books[0], books[4]}


@pytest.mark.parametrize(
    ("source", "count", "message"),
    [("contexst", 1, "unknown source of contexts 'contexst'; did you mean 'contexts'"), ("contexts", 0, "at least 1")],
)
def test_bad_sources_are_a_line(source, count, message):
    with pytest.raises(InputError, match=message):
        corpora.drawn_contexts(["dog"], ["dog"], source, count)


def hidden(subject, text):
    """All hidden states of one text, from transformers itself."""
    batch = subject.encode([text])
    with torch.no_grad():
        out = subject.model(input_ids=batch.ids, attention_mask=batch.mask, output_hidden_states=True)
    return [h[0].double().numpy() for h in out.hidden_states]


def test_vectors_in_context_are_means_of_hidden_states(subject):
    found = contextual_vectors(subject, PLACES, batch_size=2)
    assert found.vectors.shape == (subject.n_layers + 1, 2, subject.width)
    for word, mine in enumerate(PLACES):
        states = [hidden(subject, text) for text, _, _ in mine]
        spans = [subject.span(*p) for p in mine]
        # The last of transformers' hidden states has gone through the final norm, which is not part of the last block.
        for layer in range(subject.n_layers):
            slow = np.mean([h[layer][span].mean(axis=0) for h, span in zip(states, spans)], axis=0)
            np.testing.assert_allclose(found.vectors[layer, word], slow, atol=1e-6)


def test_similarities_are_mean_cosines(subject):
    found = contextual_vectors(subject, PLACES)
    single = [[contextual_vectors(subject, [[p]]).vectors[:, 0] for p in mine] for mine in PLACES]

    def cosine(a, b):
        return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    np.testing.assert_allclose(found.self_similarity[:, 0], cosine(*single[0]), atol=1e-9)
    assert np.isnan(found.self_similarity[:, 1]).all()
    between = np.mean([cosine(a, single[1][0]) for a in single[0]], axis=0)
    np.testing.assert_allclose(found.baseline, between, atol=1e-9)


def test_another_words_place_knows_nothing_before_the_first_block(masking):
    """At layer 0 nothing was mixed, so that masking the word changes nothing elsewhere; after a block it does."""
    seen, without = (contextual_vectors(masking, PLACES, form).vectors for form in ("elsewhere", "elsewhere-masked"))
    np.testing.assert_allclose(seen[0], without[0], atol=1e-12)
    assert (np.abs(seen[1:] - without[1:]).max(axis=(1, 2)) > 1e-4).all()


def test_masked_vectors_do_not_know_the_word(masking):
    subject = masking
    length = len(subject.pieces("cat"))
    others = [w for w in ("dog", "house", "river", "mat", "home") if len(subject.pieces(w)) == length]
    assert others
    text = TEXTS[0].replace("cat", others[0])
    masked = [contextual_vectors(subject, [[p]], "masked").vectors for p in (PLACES[0][0], place(text, others[0]))]
    np.testing.assert_array_equal(*masked)
    plain = [contextual_vectors(subject, [[p]]).vectors for p in (PLACES[0][0], place(text, others[0]))]
    assert np.abs(plain[0] - plain[1]).max() > 1e-3


@pytest.mark.parametrize("form", list(FORMS))
def test_batches_change_nothing(masking, form):
    one, all_at_once = (contextual_vectors(masking, PLACES, form, batch_size=n).vectors for n in (1, 32))
    np.testing.assert_allclose(one, all_at_once, atol=1e-6)


def test_what_a_subject_does_not_have_is_a_line(tiny):
    with pytest.raises(InputError, match="has no mask token"):
        contextual_vectors(tiny["gpt2"], PLACES, "masked")
    with pytest.raises(InputError, match="unknown form of vectors 'maskd'; did you mean 'masked'"):
        contextual_vectors(tiny["bert"], PLACES, "maskd")
    with pytest.raises(InputError, match="stands in no sentence"):
        contextual_vectors(tiny["bert"], [*PLACES, []])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding": "contxt:1"}, "unknown embedding 'contxt:1'"),
        ({"embedding": "context:9"}, r"has layers 0..6"),
        ({"embedding": "context:"}, r"has layers 0..6"),
        ({"contexts": "books"}, "unknown source of contexts 'books'"),
        ({"per_concept": 4}, "no concept has 4 contexts in 'contexts'"),
    ],
)
def test_bad_arguments_of_the_study_are_a_line(change, message):
    with pytest.raises(InputError, match=message):
        studies.contextual_scores(
            **{
                "subject": "minilm",
                "norms": "everyday",
                "embedding": "context:1",
                "concepts": 20,
                "seeds": [0],
                **change,
            }
        )


def test_self_similarity_takes_two_sentences():
    with pytest.raises(InputError, match="two sentences a concept or more, and per_concept is 1"):
        studies.context_similarity("minilm", "everyday", per_concept=1)


@pytest.mark.data
def test_books_have_contexts_for_most_of_mcrae():
    mcrae = norms.load("mcrae")
    found = corpora.drawn_contexts(mcrae.concepts, mcrae.lemmas, "prose", 10)
    assert sum(bool(mine) for mine in found) > 250
    for lemma, mine in zip(mcrae.lemmas, found, strict=True):
        assert all(text[a:b].casefold() == lemma.casefold() for text, a, b in mine)
        assert len({c.text for c in mine}) == len(mine)
