"""Contributions add up to what the block really computes, for every family; summaries are what they are called."""

import numpy as np
import pandas as pd
import pytest
import torch

from interp import residual
from interp.errors import InputError
from interp.residual.blockview import BlockView
from interp.residual.contributions import METHODS, sublayer_bias, sublayer_parts
from interp.residual.mixing import mixing_table, pooled
from interp.residual.tracing import rollout, trace_batch
from interp.subjects.anatomy import part
from tests.tiny import FAMILIES

TEXTS = [
    "The chef thanked the waiter.",
    "A dog chased the cat in the garden.",
    "The river is longer than the canal.",
]


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


def views(subject, batch):
    with subject.capture([f"blocks.*.{s}" for s in BlockView.SITES]) as trace:
        subject(batch)
    return [BlockView.of(subject.anatomy, block, trace, i) for i, block in enumerate(subject.blocks)]


def test_parts_add_up_to_the_sublayers_output(subject):
    for view in views(subject, subject.encode(TEXTS[:1])):
        whole = view.resid_pre + view.attention_out
        if subject.anatomy.post_norm:
            whole = part(view.block, subject.anatomy.attention_norm)(whole)
        assert torch.allclose(sublayer_parts(view).sum(dim=2) + sublayer_bias(view), whole, atol=1e-5)


def test_norm_is_kobayashis_definition(tiny):
    """Eqs. 5-8 written out for one position and one source at a time, in BERT's own terms."""
    subject = tiny["bert"]
    batch = subject.encode(TEXTS[:1])
    view = views(subject, batch)[1]
    block = view.block
    x, alpha = view.resid_pre[0], view.weights[0]
    attention, after = block.attention.self, block.attention.output.LayerNorm
    out = block.attention.output.dense
    heads, size = alpha.shape[0], 8
    total = x + view.attention_out[0]
    T = len(x)
    norms, ratios = torch.zeros(T, T), torch.zeros(T)
    for i in range(T):
        std = (total[i] - total[i].mean()).square().mean().add(after.eps).sqrt()
        own, context = None, torch.zeros(32)
        for j in range(T):
            vector = torch.zeros(32)
            for h in range(heads):
                rows = slice(h * size, (h + 1) * size)
                value = attention.value.weight[rows] @ x[j] + attention.value.bias[rows]
                vector = vector + alpha[h, i, j] * (out.weight[:, rows] @ value)
            if i == j:
                vector = vector + x[i]
            vector = (vector - vector.mean()) / std * after.weight
            norms[i, j] = vector.norm()
            if i == j:
                own = vector
            else:
                context = context + vector
        ratios[i] = context.norm() / (context.norm() + own.norm())
    measured = METHODS["norm"].measure(view)
    assert torch.allclose(measured.amount[0], norms, atol=1e-5)
    assert torch.allclose(measured.ratio[0], ratios, atol=1e-5)


@pytest.mark.parametrize("method", list(METHODS))
def test_rows_sum_to_one_and_the_future_gives_nothing(subject, method):
    trace = trace_batch(subject, subject.encode(TEXTS[:1]), [method])[method]
    for matrices in (trace.share, trace.rollout):
        assert torch.allclose(matrices.sum(dim=-1), torch.ones(()), atol=1e-5)
        assert (matrices >= 0).all()
        if subject.causal:
            assert torch.triu(matrices, diagonal=1).abs().max() == 0


def test_own_share_of_weights_is_at_least_one_half(subject):
    share = trace_batch(subject, subject.encode(TEXTS[:1]), ["weights"])["weights"].share
    assert (torch.diagonal(share, dim1=2, dim2=3) >= 0.5).all()
    assert not METHODS["weights"].own_share_is_free


def test_rollout_of_one_block_is_that_block_and_of_more_their_product():
    rng = torch.Generator().manual_seed(0)
    share = torch.rand(3, 2, 5, 5, generator=rng).softmax(dim=-1)
    rolled = rollout(share)
    assert torch.equal(rolled[0], share[0])
    assert torch.allclose(rolled[2, 1], share[2, 1] @ share[1, 1] @ share[0, 1])


def test_padding_and_batch_composition_change_nothing(subject):
    table = mixing_table(subject, TEXTS, ["weights", "norm"], batch_size=3)
    for i, text in enumerate(TEXTS):
        alone = mixing_table(subject, [text], ["weights", "norm"])
        mine = table[table["text"] == i].drop(columns="text").reset_index(drop=True)
        keys = ["method", "quantity", "layer"]
        both = (
            mine.sort_values(keys).reset_index(drop=True),
            alone.drop(columns="text").sort_values(keys).reset_index(drop=True),
        )
        pd.testing.assert_frame_equal(*both, atol=1e-5)


def test_special_tokens_enter_no_statistic_but_stay_as_sources(tiny):
    subject = tiny["bert"]
    batch = subject.encode(TEXTS[:1])
    share = trace_batch(subject, batch, ["norm"])["norm"].share[0, 0]
    table = mixing_table(subject, TEXTS[:1], ["norm"])
    row = table.query("quantity == 'own share' and layer == 1").iloc[0]
    inner = share.diagonal()[1:-1]
    assert row["value"] == pytest.approx(float(inner.mean()), abs=1e-6)
    assert row["positions"] == len(inner) == row["tokens"] - 2
    assert share[1:-1, [0, -1]].sum() > 0


def test_uniform_attention_is_what_an_even_model_would_give(tiny, monkeypatch):
    """Feed the method even attention: its own share, rolled out, is the reference line."""
    from interp.residual import tracing

    subject = tiny["bert"]

    def even(view):
        n = view.weights.shape[-1]
        return residual.contributions.weights(
            BlockView(
                view.anatomy,
                view.block,
                view.resid_pre,
                torch.full_like(view.weights, 1 / n),
                view.values,
                view.attention_out,
            )
        )

    monkeypatch.setitem(
        tracing.METHODS._members,
        "weights",
        METHODS["weights"].__class__("weights", even, "", "", own_share_is_free=False),
    )
    table = mixing_table(subject, TEXTS, ["weights"])
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


def test_a_single_text_is_traced_with_its_tokens(minilm):
    traced = residual.trace_text(minilm, "The chef thanked the waiter.", "norm")
    assert traced.tokens == ["[CLS]", "the", "chef", "thanked", "the", "waiter", ".", "[SEP]"]
    assert traced.own_share(cumulated=False).shape == (6, 8)
    assert (traced.own_share(cumulated=True)[-1] < traced.own_share(cumulated=True)[0]).all()


def test_bad_input(minilm):
    with pytest.raises(InputError, match="unknown contribution method 'nrom'; did you mean 'norm'"):
        residual.trace_text(minilm, "hello", "nrom")
    with pytest.raises(InputError, match="no texts"):
        mixing_table(minilm, [], ["norm"])
