"""Attention between two nouns: the right tokens, the right sums, in every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModel, GPT2Config, PreTrainedTokenizerFast

from interp import subjects
from interp.attention.relation_features import directions, noun_pieces, pair_attention
from interp.corpora.patterns import Sentence, fill
from interp.errors import InputError
from interp.subjects.shuffled import ordinary_rows, permutation, shuffled_embeddings
from tests.tiny import FAMILIES

PATTERNS = ["{A_concept} is {a_category}.", "a {category} of a {concept}, and of a house"]
NOUNS = [("robin", "animal"), ("apple", "fruit"), ("sparrow", "bird"), ("unicorn", "zebra")]
SENTENCES = [fill(pattern, *nouns) for pattern in PATTERNS for nouns in NOUNS]


def byte_level_folder(folder: Path, *, trim: bool = True) -> Path:
    """A small GPT-2 with a real byte-level BPE, whose offsets hold the blank before a word or not (`trim`)."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|endoftext|>"],
        show_progress=False,
    )  # fmt: skip
    inner.train_from_iterator(["a robin is an animal and an apple is a fruit " * 20], trainer)
    inner.post_processor = processors.ByteLevel(trim_offsets=trim)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=120, vocab_size=340, bos_token_id=0)
        AutoModel.from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|endoftext|>").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory):
    folders = {trim: byte_level_folder(tmp_path_factory.mktemp(f"trim-{trim}"), trim=trim) for trim in (True, False)}
    return {trim: subjects.load(str(folder)) for trim, folder in folders.items()}


def spelled(subject, sentence: Sentence) -> list[str]:
    ids = subject.tokenizer(sentence.text)["input_ids"]
    return [
        "".join(subject.tokenizer.convert_ids_to_tokens([ids[i] for i in at])) for at in noun_pieces(subject, sentence)
    ]


def test_wordpieces_of_both_nouns_are_found_capitalised_or_not(minilm):
    for concept, category in (("hummingbird", "animal"), ("otter", "kitchenware"), ("ice cream", "dessert")):
        for pattern in PATTERNS:
            found = spelled(minilm, fill(pattern, concept, category))
            assert [word.replace("##", "") for word in found] == [concept.replace(" ", ""), category]
    assert max(len(pieces) for pieces in noun_pieces(minilm, fill(PATTERNS[0], "hummingbird", "animal"))) > 1


@pytest.mark.parametrize("trim", [True, False])
def test_byte_level_pieces_come_with_their_blank_and_nothing_else(byte_level, trim):
    subject = byte_level[trim]
    for concept, category in (("robin", "animal"), ("hummingbird", "fruit"), ("apple", "vegetable")):
        first = spelled(subject, fill("{A_concept} is {a_category}.", concept, category))
        assert [word.removeprefix("Ġ") for word in first] == [concept, category]
    # Without an article the first noun has no blank and is capitalised.
    bare = spelled(subject, fill("{A_concept} is {a_category}.", "robin", "animal", mass={"robin"}))
    assert bare == ["Robin", "Ġanimal"]


def slow(subject, sentence: Sentence, flow: str, layer: int, head: int) -> float:
    """One number, written out."""
    concept, category = noun_pieces(subject, sentence)
    earlier, later = (concept, category) if concept[0] < category[0] else (category, concept)
    queries, keys = (later, earlier) if flow == "back" else (earlier, later)
    with subject.capture([f"blocks.{layer}.attn.weights"]) as trace:
        subject(subject.encode([sentence.text]))
    weights = trace[f"blocks.{layer}.attn.weights"][0, head]
    total = 0.0
    for q in queries:
        for k in keys:
            total += float(weights[q, k])
    return total / len(queries)


@pytest.mark.parametrize("family", FAMILIES)
def test_agrees_with_a_slow_loop(tiny, family):
    subject = tiny[family]
    found = pair_attention(subject, SENTENCES, batch_size=3)
    flows = directions(subject.causal)
    assert found.shape == (len(SENTENCES), len(flows), subject.n_layers, subject.n_heads)
    assert any(len(piece) > 1 for sentence in SENTENCES for piece in noun_pieces(subject, sentence))
    for i, sentence in enumerate(SENTENCES):
        for d, flow in enumerate(flows):
            for layer in range(subject.n_layers):
                for head in range(subject.n_heads):
                    assert found[i, d, layer, head] == pytest.approx(
                        slow(subject, sentence, flow, layer, head), abs=1e-6
                    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_causal_subject_has_no_attention_to_what_follows_and_gets_no_feature_for_it(tiny, family):
    subject = tiny[family]
    assert directions(subject.causal) == (("back",) if subject.causal else ("back", "ahead"))
    ahead = [slow(subject, s, "ahead", layer, 0) for s in SENTENCES[:3] for layer in range(subject.n_layers)]
    assert (max(ahead) == 0) == subject.causal
    assert pair_attention(subject, SENTENCES).std(axis=0).min() > 0


def test_batches_do_not_matter(tiny):
    one, many = (pair_attention(tiny["bert"], SENTENCES, batch_size=size) for size in (1, 8))
    np.testing.assert_allclose(one, many, atol=1e-6)


def test_nouns_without_tokens_of_their_own_are_a_line(tiny):
    overlapping = Sentence("a robin.", (2, 7), (2, 7))
    with pytest.raises(InputError, match="no tokens of its own for both nouns of 'a robin"):
        noun_pieces(tiny["bert"], overlapping)


# Shuffled embeddings


@pytest.mark.parametrize("bins", [1, 7])
def test_every_ordinary_row_gets_anothers_vector_and_the_others_keep_theirs(minilm, bins):
    before = minilm.embeddings.clone()
    rows = ordinary_rows(minilm)
    with shuffled_embeddings(minilm, seed=2, bins=bins) as subject:
        inside = subject.embeddings.clone()
    assert torch.equal(minilm.embeddings, before)
    fixed = np.setdiff1d(np.arange(len(before)), rows)
    spelled = minilm.tokenizer.convert_ids_to_tokens(fixed.tolist())
    assert {"[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[unused0]", "[unused993]"} <= set(spelled)
    assert len(rows) > 29_000
    assert torch.equal(inside[fixed], before[fixed])
    donor = permutation(rows, 2, bins=bins)
    assert not (donor == rows).any()
    assert np.array_equal(np.sort(donor), rows)
    assert torch.equal(inside[rows], before[donor])
    if bins > 1:  # a donor comes from the neighbourhood
        assert np.abs(np.searchsorted(rows, donor) - np.arange(len(rows))).max() <= len(rows) // bins + 1


def test_shuffles_depend_on_the_seed_alone():
    rows = np.arange(50)
    assert np.array_equal(permutation(rows, 1), permutation(rows, 1))
    assert not np.array_equal(permutation(rows, 1), permutation(rows, 2))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_is_restored_when_the_block_fails(tiny, family):
    subject = tiny[family]
    before = subject.embeddings.clone()
    features = pair_attention(subject, SENTENCES)
    with shuffled_embeddings(subject):
        assert not np.allclose(pair_attention(subject, SENTENCES), features)
    with pytest.raises(RuntimeError, match="inside"), shuffled_embeddings(subject):
        raise RuntimeError("inside")
    assert torch.equal(subject.embeddings, before)
    np.testing.assert_array_equal(pair_attention(subject, SENTENCES), features)
