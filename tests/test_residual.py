"""What every method owes: rows of one, nothing from the future, the same for any batch; summaries are what they say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from interp import residual, studies, subjects
from interp.errors import InputError
from interp.residual.contributions import METHODS, Contribution, rollout, rollout_unnormalised
from interp.residual.forward import ForwardPass
from interp.residual.mixing import QUANTITIES, mixing_table, pooled
from interp.residual.tracing import trace_batch
from interp.residual.weights import weights
from tests.tiny import FAMILIES

TEXTS = [
    "The chef thanked the waiter.",
    "A dog chased the cat in the garden.",
    "The river is longer than the canal.",
]


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


def defined(subject):
    return [name for name, method in METHODS.items() if method.lacking(subject) is None]


def test_the_seven_methods_of_the_protocol_are_there():
    assert list(METHODS) == ["weights", "norm", "globenc", "alti", "value-zeroing", "gradient", "propagated"]
    assert all(m.definition and m.source for m in METHODS.values())
    assert [n for n, m in METHODS.items() if m.caveat] == ["weights", "value-zeroing"]


def test_a_method_that_an_architecture_lacks_says_so(tiny):
    for family, subject in tiny.items():
        if family == "bert":
            assert defined(subject) == list(METHODS)
            continue
        with pytest.raises(InputError, match=r"'globenc' has no definition for .*no norm after an addition.*use norm"):
            residual.trace_text(subject, TEXTS[0], "globenc")
        with pytest.raises(InputError, match="no definition"):
            mixing_table(subject, TEXTS, ["norm", "globenc"])


@pytest.mark.parametrize("method", list(METHODS))
def test_rows_sum_to_one_and_the_future_gives_nothing(subject, method):
    if method not in defined(subject):
        return
    trace = trace_batch(subject, subject.encode(TEXTS[:1]), [method], probes=2)[method]
    for layers in (trace.blocks, trace.cumulated, *trace.further.values()):
        assert torch.allclose(layers.share.sum(dim=-1), torch.ones(()), atol=1e-5)
        assert (layers.share >= 0).all()
        if subject.causal:
            assert torch.triu(layers.share, diagonal=1).abs().max() == 0
        if layers.ratio is not None:
            assert ((layers.ratio >= 0) & (layers.ratio <= 1)).all()


@pytest.mark.parametrize("method", list(METHODS))
def test_cumulated_after_one_block_is_that_block(subject, method):
    if method not in defined(subject):
        return
    trace = trace_batch(subject, subject.encode(TEXTS[:1]), [method], probes=2)[method]
    for layers in (trace.cumulated, *trace.further.values()):
        assert torch.allclose(layers.share[0], trace.blocks.share[0], atol=1e-6)
    if trace.cumulated.ratio is not None:
        assert torch.allclose(trace.cumulated.ratio[0], trace.blocks.ratio[0], atol=1e-6)


def test_own_share_of_weights_is_at_least_one_half(subject):
    share = trace_batch(subject, subject.encode(TEXTS[:1]), ["weights"])["weights"].blocks.own
    assert (share >= 0.5).all()


def test_rollout_is_the_product_of_the_blocks():
    rng = torch.Generator().manual_seed(0)
    blocks = [Contribution(torch.rand(2, 5, 5, generator=rng)) for _ in range(3)]
    rolled = rollout(None, blocks)
    assert torch.allclose(rolled[0].share, blocks[0].share)
    assert torch.allclose(rolled[2].share[1], blocks[2].share[1] @ blocks[1].share[1] @ blocks[0].share[1])
    raw = blocks[2].amount[1] @ blocks[1].amount[1] @ blocks[0].amount[1]
    late = rollout_unnormalised(None, blocks)[2].share[1]
    assert torch.allclose(late, raw / raw.sum(dim=1, keepdim=True))
    assert not torch.allclose(late, rolled[2].share[1], atol=1e-3)


def test_a_row_without_contributions_is_the_positions_own():
    amount = torch.tensor([[[0.0, 0.0], [1.0, 3.0]]])
    assert torch.equal(Contribution(amount).share, torch.tensor([[[1.0, 0.0], [0.25, 0.75]]]))


def test_batch_composition_changes_nothing(subject):
    methods = defined(subject)
    table = mixing_table(subject, TEXTS, methods, batch_size=3, probes=2)
    keys = ["method", "quantity", "layer"]
    for i, text in enumerate(TEXTS):
        alone = mixing_table(subject, [text], methods, probes=2).drop(columns="text")
        mine = table[table["text"] == i].drop(columns="text")
        both = (x.sort_values(keys).reset_index(drop=True) for x in (mine, alone))
        pd.testing.assert_frame_equal(*both, rtol=0, atol=1e-6)


def test_how_many_vectors_are_held_at_once_changes_nothing(subject, monkeypatch):
    batch = subject.encode(TEXTS[1:2])
    methods = defined(subject)
    whole = trace_batch(subject, batch, methods, probes=3)
    monkeypatch.setattr(ForwardPass, "rows", 7)
    few = trace_batch(subject, batch, methods, probes=3)
    for name in methods:
        assert torch.allclose(whole[name].blocks.share, few[name].blocks.share, atol=1e-6)
        assert torch.allclose(whole[name].cumulated.share, few[name].cumulated.share, atol=1e-6)


def test_padded_batches_are_refused(tiny):
    with pytest.raises(ValueError, match="without padding"):
        trace_batch(tiny["bert"], tiny["bert"].encode(TEXTS), ["norm"])


def test_hooks_are_removed_even_after_an_error(tiny):
    subject = tiny["gpt2"]
    before = sum(len(m._forward_pre_hooks) for m in subject.model.modules())
    with pytest.raises(ValueError, match="padding"):
        ForwardPass.of(subject, subject.encode(TEXTS))
    ForwardPass.of(subject, subject.encode(TEXTS[:1]))
    assert sum(len(m._forward_pre_hooks) for m in subject.model.modules()) == before


def test_every_quantity_is_explained(tiny):
    table = mixing_table(tiny["bert"], TEXTS, list(METHODS), probes=2)
    assert set(table["quantity"]) == set(QUANTITIES)


def compared(exact, other, atol):
    """Every method of two versions of a subject: finite, rows of one, and near each other."""
    for name in defined(exact):
        a, b = (trace_batch(s, s.encode(TEXTS[:1]), [name], probes=2)[name] for s in (exact, other))
        for mine, theirs in ((a.blocks, b.blocks), (a.cumulated, b.cumulated)):
            share = theirs.share.cpu()
            assert share.isfinite().all(), name
            assert torch.allclose(share.sum(dim=-1), torch.ones(()), atol=1e-5), name
            assert torch.allclose(mine.share, share, atol=atol), name
            if mine.ratio is not None:
                assert torch.allclose(mine.ratio, theirs.ratio.cpu(), atol=atol), name


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_stays_close(tiny_folders, family):
    """bfloat16 has three digits; what it loses over three blocks of large random weights is below 0.05 of a share."""
    folder = str(tiny_folders[family])
    compared(*(subjects.load(folder, dtype=d) for d in ("float32", "bfloat16")), atol=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_norms_that_keep_float32(tiny_folders, family):
    """A GPU keeps a layer norm's statistics in float32, and so does a CPU where the norm's weights are in float32."""
    exact, other = (subjects.load(str(tiny_folders[family]), dtype=d) for d in ("float32", "bfloat16"))
    for module in other.model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.float()
    a, b = (trace_batch(s, s.encode(TEXTS[:1]), ["gradient"], probes=None)["gradient"] for s in (exact, other))
    assert torch.allclose(a.blocks.share, b.blocks.share, atol=0.05)
    assert torch.allclose(a.cumulated.share, b.cumulated.share, atol=0.05)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_gpu_gives_the_same_contributions(tiny_folders, family, dtype):
    here, there = (subjects.load(str(tiny_folders[family]), dtype=dtype, device=d) for d in ("cpu", "cuda"))
    compared(here, there, atol=1e-4 if dtype == "float32" else 0.05)


def test_special_tokens_enter_no_statistic_but_stay_as_sources(tiny):
    subject = tiny["bert"]
    batch = subject.encode(TEXTS[:1])
    share = trace_batch(subject, batch, ["norm"])["norm"].blocks.share[0, 0]
    table = mixing_table(subject, TEXTS[:1], ["norm"])
    row = table.query("quantity == 'own share' and layer == 1").iloc[0]
    inner = share.diagonal()[1:-1]
    assert row["value"] == pytest.approx(float(inner.mean()), abs=1e-6)
    assert row["positions"] == len(inner) == row["tokens"] - 2
    assert share[1:-1, [0, -1]].sum() > 0


def test_uniform_attention_is_what_an_even_model_would_give(subject, monkeypatch):
    """Feed the method even attention: its own share, rolled out, is the reference line."""
    length = subject.encode(TEXTS[:1]).ids.shape[1]
    even = torch.ones(length, length).tril() if subject.causal else torch.ones(length, length)
    even = even / even.sum(dim=1, keepdim=True)

    def blocks(forward):
        return [weights(dataclasses.replace(v, weights=even.expand_as(v.weights))) for v in forward.views]

    monkeypatch.setitem(METHODS._members, "weights", dataclasses.replace(METHODS["weights"], blocks=blocks))
    table = mixing_table(subject, TEXTS[:1], ["weights"])
    lines = table.pivot_table(index=["text", "layer"], columns="quantity", values="value")
    assert np.allclose(lines["own share, cumulated"], lines["uniform attention"], atol=1e-6)


def test_pooling_weighs_positions_and_its_interval_holds_the_mean():
    table = pd.DataFrame(
        {"method": "m", "quantity": "q", "layer": 1, "text": [0, 1, 2], "tokens": [4, 6, 12], "positions": [2, 4, 10],
         "value": [0.1, 0.4, 0.5]}
    )  # fmt: skip
    row = pooled(table).iloc[0]
    assert row["value"] == pytest.approx((0.2 + 1.6 + 5.0) / 16)
    assert row["low"] < row["value"] < row["high"]
    assert len(row["replicates"]) == 1000


def test_draws_of_a_twin_are_pooled_and_other_subjects_are_left_alone():
    """Means over texts and draws; a text keeps its draws when texts are resampled."""

    def measured(name):
        drawn = int(name.split(":")[-1]) if name[-1].isdigit() else 9
        return pd.DataFrame(
            {
                "method": "m",
                "quantity": "q",
                "layer": 1,
                "text": [0, 1],
                "tokens": 4,
                "positions": 2,
                "value": [drawn, drawn + 1.0],
            }
        )

    draws = studies.over_draws(measured, "s:permuted", [0, 1, 5])
    row = pooled(draws).iloc[0]
    assert row["value"] == pytest.approx(2.5)
    assert row["texts"] == 2
    assert set(np.round(row["replicates"], 6)) == {2.0, 2.5, 3.0}
    pd.testing.assert_frame_equal(studies.over_draws(measured, "s", [0, 1]), measured("s"))
    assert studies.over_draws(measured, "s:random", [0, 1])["value"].tolist() == [9, 10]


def test_a_single_text_is_traced_with_its_tokens(minilm):
    traced = residual.trace_text(minilm, "The chef thanked the waiter.", "norm")
    assert traced.tokens == ["[CLS]", "the", "chef", "thanked", "the", "waiter", ".", "[SEP]"]
    assert traced.own_share(cumulated=False).shape == (6, 8)
    assert (traced.own_share(cumulated=True)[-1] < traced.own_share(cumulated=True)[0]).all()


def test_a_subject_without_attention_weights_refuses(tiny_folders):
    subject = subjects.load(str(tiny_folders["bert"]))
    subject.model.set_attn_implementation("sdpa")
    with pytest.raises(InputError, match="gave attention weights for 0 of its 3 layers"):
        residual.trace_text(subject, TEXTS[0], "propagated")


def test_bad_input(minilm):
    with pytest.raises(InputError, match="unknown contribution method 'nrom'; did you mean 'norm'"):
        residual.trace_text(minilm, "hello", "nrom")
    with pytest.raises(InputError, match="no texts"):
        mixing_table(minilm, [], ["norm"])
