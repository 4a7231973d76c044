"""Position schemes: each is what its definition says, and nothing else differs."""

import math

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from interp import subjects
from interp.errors import InputError
from interp.pretraining import SIZES
from interp.pretraining.training import config, untrained
from interp.residual.mixing import mixing_table
from interp.subjects.attention import NAME, register
from interp.subjects.positions import SCHEMES, alibi_bias, alibi_slopes
from interp.subjects.subject import Subject
from tests import tiny

BLOCKS = ["embed", "blocks.0.attn.weights", "blocks.1.attn.weights", "blocks.1.resid_post"]


def decoder(scheme, seed=0, implementation=NAME):
    """An untrained decoder of 2 blocks, its weights large enough for uneven attention."""
    register()
    model = untrained(config(SIZES["tiny"], scheme, len(tiny.VOCABULARY)), seed)
    model.config._attn_implementation = implementation
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:
                p.mul_(8)
    return model.eval().requires_grad_(False)


@pytest.fixture(params=list(SCHEMES))
def scheme(request):
    return request.param


@pytest.fixture
def subject(scheme):
    return Subject(scheme, scheme, decoder(scheme), tiny.tokenizer(special=False))


IDS = torch.tensor([[5, 9, 12, 7, 21, 30, 6, 14], [8, 8, 17, 25, 5, 11, 28, 19]])


def hidden(model, ids=IDS, **kwargs):
    with torch.no_grad():
        return model(input_ids=ids, **kwargs).last_hidden_state


def test_rotary_is_the_plain_model_of_transformers():
    model = decoder("rotary")
    settings = model.config.to_dict()
    settings.pop("model_type")
    plain = LlamaModel(LlamaConfig(**{k: v for k, v in settings.items() if k != "position_scheme"}))
    plain.load_state_dict(model.state_dict())
    plain.eval()
    torch.testing.assert_close(hidden(model), hidden(plain), rtol=1e-5, atol=1e-5)


def test_schemes_share_every_weight_they_have_in_common():
    states = {s: decoder(s).state_dict() for s in SCHEMES}
    shared = set.intersection(*(set(s) for s in states.values()))
    assert {k for s in states.values() for k in s} - shared == {"embed_positions.weight"}
    assert all(torch.equal(states["rotary"][k], states[s][k]) for s in SCHEMES for k in shared)


def test_without_positions_a_block_sees_a_set():
    """What the last token gets from one block does not depend on the order of those before; two blocks do see it."""
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4, 7])
    for scheme in SCHEMES:
        subject = Subject(scheme, scheme, decoder(scheme), tiny.tokenizer(special=False))
        outs = []
        for ids in (IDS, IDS[:, order]):
            with subject.capture(["blocks.0.resid_post", "blocks.1.resid_post"]) as trace:
                hidden(subject.model, ids)
            outs.append([trace[f"blocks.{i}.resid_post"][:, -1] for i in (0, 1)])
        (one, two), (one_, two_) = outs
        assert torch.allclose(one, one_, atol=1e-5) == (scheme == "none")
        assert not torch.allclose(two, two_, atol=1e-4)  # the causal mask alone tells later blocks an order


def test_slopes_and_bias_are_the_closed_form():
    """Press et al. 2022: for 8 heads the slopes are 1/2, 1/4, ..., 1/256."""
    assert alibi_slopes(8).tolist() == [2.0**-k for k in range(1, 9)]
    bias = alibi_bias(torch.arange(5)[None], 4)
    for head, slope in enumerate([2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8]):
        for q in range(5):
            for k in range(q + 1):
                assert bias[0, head, q, k] == -slope * (q - k)


def test_alibi_is_none_with_its_bias_on_the_scores():
    """From the weights of the model without positions, reweighted by hand."""
    maps = {}
    for scheme in ("none", "alibi"):
        subject = Subject(scheme, scheme, decoder(scheme), tiny.tokenizer(special=False))
        with subject.capture(["blocks.0.attn.weights"]) as trace:
            hidden(subject.model)
        maps[scheme] = trace["blocks.0.attn.weights"]
    expected = maps["none"] * torch.exp(alibi_bias(torch.arange(IDS.shape[1])[None], 2))
    torch.testing.assert_close(maps["alibi"], expected / expected.sum(-1, keepdim=True), rtol=1e-4, atol=1e-6)


def test_absolute_is_none_with_a_vector_added():
    absolute, none = decoder("absolute"), decoder("none")
    vectors = none.embed_tokens(IDS) + absolute.embed_positions.weight[: IDS.shape[1]]
    with torch.no_grad():
        expected = none(inputs_embeds=vectors).last_hidden_state
    torch.testing.assert_close(hidden(absolute), expected)


def test_attention_is_causal_and_sums_to_one(subject):
    with subject.capture(BLOCKS) as trace:
        hidden(subject.model)
    for maps in trace.stack("*.weights"):
        torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
        assert torch.triu(maps, diagonal=1).abs().max() == 0
    torch.testing.assert_close(
        subject.model.norm(trace["blocks.1.resid_post"]), hidden(subject.model), rtol=1e-5, atol=1e-5
    )


def test_padding_changes_nothing(subject):
    mask = torch.ones(2, IDS.shape[1] + 3, dtype=torch.long)
    mask[:, IDS.shape[1] :] = 0
    padded = torch.nn.functional.pad(IDS, (0, 3))
    found = hidden(subject.model, padded, attention_mask=mask)
    torch.testing.assert_close(found[:, : IDS.shape[1]], hidden(subject.model), rtol=1e-4, atol=1e-5)
    assert found.isfinite().all()


def test_a_masked_token_inside_is_seen_by_nobody_else(subject):
    mask = torch.ones_like(IDS)
    mask[:, 3] = 0
    with subject.capture(["blocks.*.attn.weights"]) as trace:
        hidden(subject.model, attention_mask=mask)
    for maps in trace.stack("*.weights"):
        assert maps[:, :, 4:, 3].abs().max() == 0


def test_moved_positions_move_what_the_scheme_knows(subject, scheme):
    batch = subject.encode(["the chef thanked waiter dog cat chased a river"])
    length = batch.ids.shape[1]
    with subject.capture(["blocks.*.resid_post"]) as trace:
        subject(batch)
    whole = trace["blocks.1.resid_post"]
    with subject.with_positions(torch.arange(length)[None]), subject.capture(["blocks.*.resid_post"]) as trace:
        subject(batch)
    assert torch.equal(whole, trace["blocks.1.resid_post"])
    with subject.with_positions(torch.arange(length).flip(0)[None]), subject.capture(["blocks.*.resid_post"]) as trace:
        subject(batch)
    changed = not torch.allclose(whole, trace["blocks.1.resid_post"], atol=1e-5)
    # Distances are the same backwards, so that ALiBi, which knows only them, must not notice.
    assert changed == (scheme in ("rotary", "absolute"))


def test_alibi_notices_other_distances():
    subject = Subject("alibi", "alibi", decoder("alibi"), tiny.tokenizer(special=False))
    batch = subject.encode(["the chef thanked waiter dog cat chased a river"])
    length = batch.ids.shape[1]
    outs = []
    for order in (torch.arange(length), torch.arange(length).roll(3)):
        with subject.with_positions(order[None]), subject.capture(["blocks.1.resid_post"]) as trace:
            subject(batch)
        outs.append(trace["blocks.1.resid_post"])
    assert not torch.allclose(*outs, atol=1e-4)


def test_contributions_add_up(subject):
    """Every method that knows Llama's blocks knows these: vectors of all tokens sum to the hidden state."""
    table = mixing_table(subject, ["the chef thanked waiter dog cat"], ["norm", "propagated", "gradient"], probes=None)
    own = table[table["quantity"].isin(["own share", "own share, cumulated"])]
    assert own["value"].between(0, 1 + 1e-6).all()


def test_an_unknown_scheme_is_named():
    with pytest.raises(InputError, match="unknown position scheme 'rotery'; did you mean 'rotary'"):
        decoder("rotery")


@pytest.mark.parametrize("name", ["decoder", "decoder-rotery", "decoder-random", "decoder-rotery:random"])
def test_a_misspelled_scheme_is_an_unknown_subject(name):
    with pytest.raises(InputError, match=r"unknown (subject|twin)"):
        subjects.identify(name)


def test_the_packaged_decoders_know_english(scheme):
    """The claim itself: on a plain sentence, a trained decoder predicts the next token better than its twin."""
    text = "The old man went to the window and looked out at the sea, for he had heard the voice of his son."

    def loss(name):
        model = subjects.load(name)
        batch = model.encode([text])
        with torch.no_grad():
            logits = model.model(input_ids=batch.ids).last_hidden_state @ model.embeddings.T
        return float(torch.nn.functional.cross_entropy(logits[0, :-1], batch.ids[0, 1:]))

    assert loss(f"decoder-{scheme}") < math.log(200)
    assert loss(f"decoder-{scheme}:random") > math.log(2000)
