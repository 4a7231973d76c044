"""Removing a token: what cannot change does not, and the agreement is a rank correlation over the right tokens."""

import numpy as np
import pytest
import torch
from scipy import stats

from interp import residual, studies
from interp.errors import InputError
from interp.residual.blanking import REMOVALS, blanking_table, effects, rank_agreement
from interp.residual.mixing import pooled

TEXT = "the quick brown fox sees a lazy dog near the old river"


@pytest.fixture(params=["bert", "gpt2", "llama", "gpt_neox"])
def subject(request, tiny):
    return tiny[request.param]


@pytest.mark.parametrize("removal", list(REMOVALS))
def test_each_variant_lacks_one_token(subject, removal):
    batch = subject.encode([TEXT])
    moved = effects(subject, batch, removal)
    length = batch.ids.shape[1]
    assert moved.shape == (subject.n_layers, length, length)
    assert (moved >= 0).all()
    assert moved.max() > 0
    if subject.causal:  # what comes later changes nothing
        assert torch.triu(moved, diagonal=1).max() < 1e-5


@pytest.mark.parametrize("removal", list(REMOVALS))
def test_effects_are_those_of_one_removal_at_a_time(subject, removal):
    """The slow, obvious way: one variant, one forward pass, the model's own hidden states."""
    batch = subject.encode([TEXT])
    j = 4
    ids, mask = batch.ids.clone(), batch.mask.clone()
    if removal == "hidden":
        mask[0, j] = 0
    else:
        ids[0, j] = REMOVALS[removal](subject, batch).ids[j, j]
        assert ids[0, j] != batch.ids[0, j]
    with torch.no_grad():
        whole = subject.model(input_ids=batch.ids, attention_mask=batch.mask, output_hidden_states=True).hidden_states
        without = subject.model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    # The last state of pre-norm models is after the final norm; the first block's is not.
    expected = (without[1] - whole[1]).norm(dim=-1) / whole[1].norm(dim=-1)
    assert torch.allclose(effects(subject, batch, removal)[0, :, j], expected[0], atol=1e-5)


def test_agreement_is_spearmans_over_the_other_tokens():
    rng = np.random.default_rng(0)
    said, effect = rng.random((2, 8, 8))
    inner = np.array([False, *[True] * 6, False])
    found = rank_agreement(said, effect, inner, causal=False)
    others = [2, 3, 4, 5, 6]
    assert len(found) == 6
    assert found[0] == pytest.approx(stats.spearmanr(said[1, others], effect[1, others]).statistic)
    causal = rank_agreement(said, effect, inner, causal=True)
    assert len(causal) == 2, "positions 5 and 6 have four earlier tokens or more"
    assert causal[0] == pytest.approx(stats.spearmanr(said[5, 1:5], effect[5, 1:5]).statistic)
    flat = np.ones_like(said)
    assert rank_agreement(flat, effect, inner, causal=False) == []


def test_a_method_that_says_the_effect_agrees_perfectly():
    effect = np.random.default_rng(1).random((8, 8))
    inner = np.ones(8, dtype=bool)
    assert rank_agreement(effect**3, effect, inner, causal=False) == pytest.approx([1.0] * 8)
    assert rank_agreement(-effect, effect, inner, causal=False) == pytest.approx([-1.0] * 8)


def test_the_table_is_tidy_and_has_its_two_rivals(tiny):
    subject = tiny["bert"]
    texts = [TEXT, "the dog sees a fox and the cat sees the old dog", "a small bird sings in the tall tree by the lake"]
    table = blanking_table(subject, texts, ["norm", "weights"])
    assert set(table["method"]) == {"norm", "weights", "distance", "other removal"}
    assert set(table["removal"]) == set(REMOVALS)
    assert table["value"].between(-1, 1).all()
    assert not table.duplicated(["removal", "method", "layer", "text"]).any()
    both = table[table["method"] == "other removal"].pivot_table(
        index=["layer", "text"], columns="removal", values="value"
    )
    np.testing.assert_allclose(both["hidden"], both["replaced"])  # agreement is mutual
    summary = pooled(table, by=("removal", "method", "layer"))
    assert (summary["low"] <= summary["value"]).all()


def test_bad_input():
    with pytest.raises(InputError, match="unknown way to remove a token 'gone'"):
        REMOVALS["gone"]
    with pytest.raises(InputError, match="no texts"):
        blanking_table(None, [], ["norm"])


def test_published_values_say_where_they_stand_and_what_they_are_of():
    published = studies.published_faithfulness()
    assert not published.isna().any().any()
    assert published["value"].between(-1, 1).all()
    assert set(published["ours"]) - {""} <= set(residual.METHODS)
    cells = published.groupby(["source", "table"]).size().to_dict()
    assert cells == {
        ("Abnar & Zuidema 2020", 1): 3 * 6,
        ("Abnar & Zuidema 2020", 2): 3 * 6,
        ("Abnar & Zuidema 2020", 3): 3 * 4,
        ("Modarressi et al. 2022", 1): 8 * 3,
    }
    # "The first layer of attention rollout and attention flow are the same" (Abnar & Zuidema 2020, section 4).
    first = published[(published["layer"] == 1) & published["method"].isin(["rollout", "flow"])]
    assert first.groupby("table")["value"].nunique().eq(1).all()
