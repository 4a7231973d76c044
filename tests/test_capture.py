"""Capture through the one attention function, on all families: equal to transformers' own eager attention."""

import pytest
import torch
from transformers import AutoModel

from interp.errors import InputError
from interp.subjects.anatomy import part
from interp.subjects.attention import tapped
from tests.tiny import FAMILIES

TEXTS = ["The chef thanked the waiter.", "a dog", "The river is longer than the old canal of the garden."]


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + int(tapped(m)) for m in model.modules())


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


@pytest.fixture
def eager(subject, tiny_folders):
    """The same weights with transformers' own eager attention."""
    return AutoModel.from_pretrained(tiny_folders[subject.model.config.model_type], attn_implementation="eager").eval()


def test_equals_eager_attention_and_hidden_states(subject, eager):
    batch = subject.encode(TEXTS)
    with subject.capture(["*"]) as trace, torch.no_grad():
        ours = subject(batch).last_hidden_state
        theirs = eager(
            input_ids=batch.ids, attention_mask=batch.mask, output_attentions=True, output_hidden_states=True
        )
    tokens = batch.mask.bool()
    assert len(theirs.attentions) == subject.n_layers
    assert torch.allclose(ours[tokens], theirs.last_hidden_state[tokens], atol=1e-5)
    for layer in range(subject.n_layers):
        mine = trace[f"blocks.{layer}.attn.weights"].transpose(1, 2)[tokens]
        assert torch.allclose(mine, theirs.attentions[layer].transpose(1, 2)[tokens], atol=1e-6)
        assert torch.allclose(
            trace[f"blocks.{layer}.resid_pre"][tokens], theirs.hidden_states[layer][tokens], atol=1e-5
        )
    assert torch.allclose(trace["embed"], trace["blocks.0.resid_pre"])
    final = subject.anatomy.final_norm
    last = trace[f"blocks.{subject.n_layers - 1}.resid_post"]
    last = part(subject.model, final)(last) if final else last
    assert torch.allclose(last[tokens], ours[tokens], atol=1e-5)


def test_rows_sum_to_one_and_padding_gets_nothing(subject):
    batch = subject.encode(TEXTS)
    with subject.capture(["blocks.*.attn.weights"]) as trace:
        subject(batch)
    tokens = batch.mask.bool()
    for weights in trace.stack("*"):
        rows = weights.transpose(1, 2)[tokens]
        assert torch.allclose(rows.sum(dim=-1), torch.ones(()), atol=1e-5)
        assert (weights * ~tokens[:, None, None]).transpose(1, 2)[tokens].abs().max() == 0


def test_causal_subjects_get_nothing_from_the_future(subject):
    batch = subject.encode(TEXTS[2:])
    with subject.capture(["blocks.*.attn.weights"]) as trace:
        subject(batch)
    for weights in trace.stack("*"):
        future = torch.triu(weights, diagonal=1).abs().max()
        assert (future == 0) == subject.causal


def test_padding_and_batch_composition_change_nothing(subject):
    with subject.capture(["*"]) as trace:
        subject(subject.encode(TEXTS))
        together = dict(trace)
        for row, text in enumerate(TEXTS):
            alone = subject.encode([text])
            subject(alone)
            n = alone.ids.shape[1]
            for site, mine in trace.items():
                if site.endswith("weights"):
                    assert torch.allclose(mine[0], together[site][row, :, :n, :n], atol=1e-6)
                elif ".attn." in site and not site.endswith("out"):
                    assert torch.allclose(mine[0], together[site][row, :, :n], atol=1e-5)
                else:
                    assert torch.allclose(mine[0], together[site][row, :n], atol=1e-5)


def test_weights_and_values_make_the_attention_output(subject):
    """Rebuild what the attention adds from the captured parts: the sites mean what they say."""
    batch = subject.encode(TEXTS[:1])
    with subject.capture(["blocks.1.*"]) as trace:
        subject(batch)
    weights, values = trace["blocks.1.attn.weights"], trace["blocks.1.attn.values"]
    mixed = (weights @ values).transpose(1, 2).flatten(2)
    projected = part(subject.blocks[1], subject.anatomy.projection)(mixed)
    assert torch.allclose(projected, trace["blocks.1.attn.out"], atol=1e-6)


def test_hooks_are_always_removed(subject):
    before = hooks(subject.model)
    with subject.capture(["*"]):
        assert hooks(subject.model) > before
    assert hooks(subject.model) == before
    with pytest.raises(RuntimeError, match="stop"), subject.capture(["*"]):
        raise RuntimeError("stop")
    assert hooks(subject.model) == before


def test_captures_nest(subject):
    batch = subject.encode(TEXTS[:1])
    with subject.capture(["blocks.0.attn.weights"]) as outer:
        with subject.capture(["blocks.*.attn.weights"]) as inner:
            subject(batch)
        assert torch.equal(outer["blocks.0.attn.weights"], inner["blocks.0.attn.weights"])
        subject(subject.encode(TEXTS[1:2]))
        assert outer["blocks.0.attn.weights"].shape != inner["blocks.0.attn.weights"].shape


def test_sites_are_checked(subject):
    with (
        pytest.raises(InputError, match=r"no site matches 'blocks\.9\.resid_post'"),
        subject.capture(["blocks.9.resid_post"]),
    ):
        pass
    with subject.capture(["embed"]) as trace:
        with pytest.raises(KeyError, match="run the subject inside"):
            trace["embed"]
        with pytest.raises(KeyError, match="was not asked for"):
            trace["blocks.0.resid_pre"]


def test_batches_of_one_length_cover_every_text_once(subject):
    texts = [*TEXTS, "a cat", "The dog chased the cat."]
    seen = []
    for batch in subject.batches(texts, size=2):
        assert batch.mask.all()
        seen += batch.index
        for row, i in enumerate(batch.index):
            assert torch.equal(batch.ids[row], subject.encode([texts[i]]).ids[0])
    assert sorted(seen) == list(range(5))
