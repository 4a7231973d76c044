"""Each perturbation changes what it says, nothing else, and leaves the subject as it was."""

import pytest
import torch

from interp import subjects
from interp.attention import vocabulary
from interp.attention.perturbations import PERTURBATIONS, Given, Perturbed, attend, in_place, swapped_text, word_span
from interp.errors import InputError
from interp.subjects.attention import tapped
from tests.tiny import FAMILIES

TEXTS = ("The chef thanked the waiter.", "The dog chased the robin in a garden.", "A boat.")
PAIRS = (("chef", "waiter"), ("dog", "robin"), ("a", "boat"))
OWN = [p for p in PERTURBATIONS if p not in ("intact", "swap")]


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


@pytest.fixture
def given(subject):
    return Given(TEXTS, subject.encode(list(TEXTS)), PAIRS)


def applied(subject, name, given, seed=0):
    return PERTURBATIONS[name].make(subject, seed)(given)


def maps(subject, perturbed):
    return torch.stack(attend(subject, perturbed))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + int(tapped(m)) for m in model.modules())


def state(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_weights_and_hooks_are_as_they_were(subject, given, name):
    before, count = state(subject.model), hooks(subject.model)
    intact = maps(subject, applied(subject, "intact", given))
    changed = maps(subject, applied(subject, name, given))
    assert torch.equal(intact, changed) == (name == "intact")
    assert hooks(subject.model) == count
    assert all(torch.equal(v, before[k]) for k, v in subject.model.state_dict().items())
    assert torch.equal(intact, maps(subject, applied(subject, "intact", given)))


@pytest.mark.parametrize("name", ["shuffle-embeddings", "shuffle-positions"])
def test_hooks_are_removed_when_something_goes_wrong_inside(subject, given, name):
    count = hooks(subject.model)
    perturbed, seen = applied(subject, name, given), []

    def fail():
        with perturbed.during():
            seen.append(hooks(subject.model))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert seen == [count + 1]
    assert hooks(subject.model) == count


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_rows_sum_to_one_padding_gets_nothing_and_the_future_neither(subject, given, name):
    perturbed = applied(subject, name, given)
    tokens = perturbed.batch.mask.bool()
    for weights in attend(subject, perturbed):
        rows = weights.transpose(1, 2)[tokens]
        assert torch.allclose(rows.sum(dim=-1), torch.ones(()), atol=1e-5)
        assert (weights * ~tokens[:, None, None]).transpose(1, 2)[tokens].abs().max() == 0
        if subject.causal:
            assert torch.triu(weights, diagonal=1).abs().max() == 0


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_padding_and_batch_composition_change_nothing(subject, given, name):
    together = maps(subject, applied(subject, name, given))
    for row, text in enumerate(TEXTS):
        alone = maps(subject, applied(subject, name, Given((text,), subject.encode([text]), PAIRS[row : row + 1])))
        n = alone.shape[-1]
        assert torch.allclose(alone[:, 0], together[:, row, :, :n, :n], atol=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_a_seed_decides_and_another_one_decides_otherwise(subject, given, name):
    first, again, other = (maps(subject, applied(subject, name, given, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_only_what_is_named_moves(subject, given, name):
    perturbed, here = applied(subject, name, given), in_place(given.batch)
    assert torch.equal(perturbed.order.sort(dim=1).values, here)
    assert torch.equal(perturbed.order, here) == (not PERTURBATIONS[name].moves)
    assert torch.equal(perturbed.order[given.batch.special], here[given.batch.special])
    assert torch.equal(perturbed.batch.ids[given.batch.special], given.batch.ids[given.batch.special])
    same_ids = torch.equal(perturbed.batch.ids, given.batch.ids)
    assert same_ids == (name not in ("swap", "shuffle-words", "random-tokens"))
    if name in ("swap", "shuffle-words"):
        assert torch.equal(perturbed.batch.ids, given.batch.ids.gather(1, perturbed.order))


def test_swap_exchanges_the_two_words_and_no_other(subject, given):
    tokens = [subject.tokens(applied(subject, "swap", given).batch, row) for row in range(2)]
    assert " ".join(t for t in tokens[0] if not t.startswith("[")) == "the waiter thanked the chef ."
    order = applied(subject, "swap", given).order
    assert (order != in_place(given.batch)).sum(dim=1).tolist() == [2, 2, 2]


def test_swapping_words_of_several_pieces(tiny):
    subject = tiny["bert"]
    text = "The cab chased the dig in the garden."  # both are spelled in three pieces
    swapped, order = swapped_text(subject, text, ("dig", "cab"))
    assert swapped == "The dig chased the cab in the garden."
    intact, after = (subject.encode([t]).ids[0] for t in (text, swapped))
    assert torch.equal(after, intact[order])
    with pytest.raises(InputError, match=r"'cab' and 'garden' have 3 and 1 word pieces"):
        swapped_text(subject, text, ("garden", "cab"))


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("chef", "cook"), "the word 'cook' is not in the text"),
        (("chef", "the"), "the word 'the' occurs 2 times"),
        (("chef", "wait"), "the word 'wait' is not in the text"),
        (("chef", ""), "the word '' is not in the text"),
        (("chef", "chef"), "cannot be exchanged with itself"),
    ],
)
def test_bad_swaps(tiny, pair, message):
    with pytest.raises(InputError, match=message):
        swapped_text(tiny["bert"], TEXTS[0], pair)


def test_swap_without_words(tiny):
    with pytest.raises(InputError, match="swap needs two words"):
        applied(tiny["bert"], "swap", Given(TEXTS[:1], tiny["bert"].encode(list(TEXTS[:1]))))


def test_words_are_found_whole_and_without_case():
    assert word_span("The chef's chefs.", "chefs") == (11, 16)
    assert word_span("The chef.", "the") == (0, 3)


def test_shuffle_words_keeps_the_pieces_of_a_word_together(tiny):
    subject = tiny["bert"]
    text = "The cab chased the robin in the garden of the chef."
    given = Given((text,), subject.encode([text]))
    for seed in range(5):
        tokens = subject.tokens(applied(subject, "shuffle-words", given, seed).batch)
        assert sorted(tokens) == sorted(subject.tokens(given.batch))
        at = tokens.index("c")
        assert tokens[at : at + 3] == ["c", "##a", "##b"]


def seen_embeddings(subject, perturbed):
    """What the token-embedding table gives during the pass."""
    from interp.subjects.anatomy import part

    seen = []
    with perturbed.during():
        # Registered last, so that it sees what the perturbation made of it.
        handle = part(subject.model, subject.anatomy.embedding).register_forward_hook(
            lambda _m, _a, out: seen.append(out.clone())
        )
        subject(perturbed.batch)
        handle.remove()
    return seen[0]


@pytest.mark.parametrize(
    "name", ["shuffle-embeddings", "shuffle-embeddings-frequency", "gaussian-embeddings", "shuffle-positions"]
)
def test_embeddings_are_permuted_or_redrawn_as_said(subject, given, name):
    table, ids = subject.embeddings, given.batch.ids
    seen = seen_embeddings(subject, applied(subject, name, given))
    words, special = given.batch.mask.bool() & ~given.batch.special, given.batch.special
    assert torch.equal(seen[special], table[ids[special]])
    if name == "shuffle-positions":
        assert torch.equal(seen, table[ids])
        return
    by_token = {}
    for token, vector in zip(ids[words].tolist(), seen[words]):
        assert torch.equal(by_token.setdefault(token, vector), vector), "occurrences of a token stay alike"
    vectors = torch.stack(list(by_token.values()))
    own = table[list(by_token)]
    if name == "gaussian-embeddings":
        assert torch.allclose(vectors.norm(dim=1), own.norm(dim=1), atol=1e-5)
        assert torch.nn.functional.cosine_similarity(vectors, own).abs().max() < 0.8
        return
    where = [int((table == v).all(dim=1).nonzero()[0, 0]) for v in vectors]
    ordinary = set(vocabulary.ordinary(subject).tolist())
    assert len(set(where)) == len(where)
    assert set(where) <= ordinary
    assert where != list(by_token)
    if name == "shuffle-embeddings-frequency":
        bin_of = {int(t): i for i, b in enumerate(vocabulary.frequency_bins(subject)) for t in b}
        assert [bin_of[t] for t in by_token] == [bin_of[t] for t in where]


def test_random_tokens_come_from_the_same_frequency_bin(subject, given):
    after = applied(subject, "random-tokens", given).batch.ids
    words = given.batch.mask.bool() & ~given.batch.special
    bin_of = {int(t): i for i, b in enumerate(vocabulary.frequency_bins(subject)) for t in b}
    before = given.batch.ids[words].tolist()
    assert [bin_of[t] for t in before] == [bin_of[t] for t in after[words].tolist()]
    assert before != after[words].tolist()


def test_frequency_bins_hold_every_ordinary_token_once_the_frequent_first(minilm):
    bins = vocabulary.frequency_bins(minilm)
    ids = [int(t) for group in bins for t in group]
    assert sorted(ids) == vocabulary.ordinary(minilm).tolist()
    assert {"the", ".", "a", "of"} <= set(minilm.tokenizer.convert_ids_to_tokens(bins[0].tolist()))
    assert not {"[CLS]", "[SEP]", "[unused5]", "[PAD]"} & set(minilm.tokenizer.convert_ids_to_tokens(ids))
    assert [len(b) for b in bins[:3]] == [10, 22, 68]


def test_punctuation_is_told_by_what_a_token_spells(minilm):
    batch = minilm.encode(["Yes, the chef said: no (or so)!"])
    marks = vocabulary.punctuation(minilm, batch)[0]
    tokens = minilm.tokens(batch)
    assert [t for t, m in zip(tokens, marks) if m] == [",", ":", "(", ")", "!"]


def test_shuffled_positions_are_shuffled_words_seen_from_the_tokens(tiny):
    """Without positions a bidirectional transformer knows no order: the two experiments are one."""
    subject = tiny["bert"]
    text = TEXTS[1]  # one piece a word
    given = Given((text,), subject.encode([text]))
    positions = applied(subject, "shuffle-positions", given)
    order = positions.order
    back = order.argsort(dim=1)  # the token whose position is i
    words = Perturbed(Given((text,), given.batch).batch.__class__(
        given.batch.ids.gather(1, back), given.batch.mask, given.batch.special, given.batch.index), back)  # fmt: skip
    from interp.attention.comparison import carried

    for by_position, by_token in zip(attend(subject, words), attend(subject, positions)):
        assert torch.allclose(carried(by_position, order), by_token, atol=1e-5)


def test_a_subject_without_positions_to_give_refuses(tiny, monkeypatch):
    subject = tiny["llama"]
    given = Given(TEXTS[:1], subject.encode(list(TEXTS[:1])))
    monkeypatch.setattr(subject.model, "forward", lambda **_: None)
    with pytest.raises(InputError, match="neither position embeddings nor position ids"):
        attend(subject, applied(subject, "shuffle-positions", given))


def test_a_subject_without_attention_weights_refuses(tiny_folders):
    subject = subjects.load(str(tiny_folders["bert"]))
    subject.model.set_attn_implementation("sdpa")
    given = Given(TEXTS[:1], subject.encode(list(TEXTS[:1])))
    with pytest.raises(InputError, match="gave attention weights for 0 of its 3 layers"):
        attend(subject, applied(subject, "intact", given))


def test_unknown_perturbation():
    with pytest.raises(InputError, match="unknown perturbation 'shufle-words'; did you mean 'shuffle-words'"):
        PERTURBATIONS["shufle-words"]
