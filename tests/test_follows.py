"""Planted maps: +1 and -1 of the follows-token index, effects of the crossed design, positional share of 1 and of 0."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from interp import attention
from interp.attention import crossed, follows, lineup, positional, sentences
from interp.attention.comparison import carried
from interp.attention.follows import Swap, compared
from interp.attention.layout import Layout
from interp.errors import InputError
from tests.test_attention_structure import layout, random_maps
from tests.tiny import FAMILIES

SWAPS = [
    Swap("The chef thanked the waiter.", ("chef", "waiter")),
    Swap("The dog chased the cat in a garden.", ("dog", "cat")),
    Swap("The robin is longer than the bird.", ("robin", "bird")),
    Swap("The cat sold the boat.", ("cat", "boat")),
]
ITEM = crossed.Item(
    ("dog", "cat"),
    {
        "active": "Yesterday the dog chased the cat in the garden.",
        "passive": "Yesterday the cat was chased by the dog in the garden.",
        "active_reversed": "Yesterday the cat chased the dog in the garden.",
        "passive_reversed": "Yesterday the dog was chased by the cat in the garden.",
    },
)


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


def index(found):
    return (found["token"] - found["position"]) / (1 - found["unmoved"])


@pytest.mark.parametrize("special", [(), (0, 8)])
def test_the_index_is_one_where_the_map_follows_and_minus_one_where_it_stays(special):
    mine, maps = layout(9, special=special, texts=2), random_maps(9)
    order = torch.arange(9).repeat(2, 1)
    order[0, [2, 5]], order[1, [3, 4]] = torch.tensor([5, 2]), torch.tensor([4, 3])
    one = torch.ones((), dtype=torch.float64)
    for which in ("full", "inner"):
        assert torch.allclose(index(compared(maps, carried(maps, order), mine, order)[which]), one)
        assert torch.allclose(index(compared(maps, maps, mine, order)[which]), -one)
        half = (maps + carried(maps, order)) / 2
        assert torch.allclose(index(compared(maps, half, mine, order)[which]), 0 * one, atol=1e-6)


def test_only_the_rows_and_columns_of_the_two_words_count():
    mine, maps = layout(9), random_maps(9)
    order = torch.arange(9).repeat(2, 1)
    order[:, [2, 5]] = torch.tensor([5, 2])
    noise = random_maps(9, seed=9)
    elsewhere = carried(maps, order).clone()
    rest = [i for i in range(9) if i not in (2, 5)]
    for i in rest:
        elsewhere[:, :, i, rest] = noise[:, :, i, rest]
    found = compared(maps, elsewhere, mine, order)["full"]
    assert torch.allclose(found["token"], torch.ones((), dtype=torch.float64))


def test_causal_maps_that_follow_have_index_one():
    mine, maps = layout(9, causal=True, texts=2), random_maps(9, causal=True)
    order = torch.arange(9).repeat(2, 1)
    order[:, [2, 5]] = torch.tensor([5, 2])
    found = index(compared(maps, carried(maps, order), mine, order)["full"])
    assert torch.allclose(found, torch.ones((), dtype=torch.float64))


def test_a_model_without_positions_follows_the_token(tiny_folders):
    """Take BERT's position embeddings away and it knows no order: the map must move with the words."""
    from interp import subjects

    subject = subjects.load(str(tiny_folders["bert"]))
    subject.model.embeddings.position_embeddings.weight.zero_()
    values = attention.index(attention.follows_table(subject, SWAPS))
    assert np.allclose(values, 1, atol=1e-4)


def test_a_model_that_sees_only_positions_stays(tiny_folders):
    from interp import subjects

    subject = subjects.load(str(tiny_folders["bert"]))
    subject.model.embeddings.word_embeddings.weight[4:] = subject.model.embeddings.word_embeddings.weight[4]
    values = attention.index(attention.follows_table(subject, SWAPS))
    assert np.allclose(values, -1, atol=1e-4)


def test_follows_table_of_every_family(subject):
    table = attention.follows_table(subject, SWAPS, batch_size=3)
    again = attention.follows_table(subject, SWAPS, batch_size=1)
    keys = ["map", "layer", "head", "text"]
    a, b = (t.sort_values(keys).reset_index(drop=True) for t in (table, again))
    assert len(a) == 2 * 3 * 4 * len(SWAPS)
    for column in ("token", "position", "unmoved"):
        assert np.allclose(a[column], b[column], atol=1e-5)
    pooled = attention.index_by_layer(table)
    whole = pooled[(pooled["map"] == "inner") & (pooled["layer"] == 0)].iloc[0]
    mine = table[table["map"] == "inner"]
    assert whole["value"] == pytest.approx((mine["token"] - mine["position"]).sum() / (1 - mine["unmoved"]).sum())
    assert whole["low"] <= whole["value"] <= whole["high"]


def test_pairs_of_unequal_length_are_left_out(tiny):
    uneven = Swap("The cab chased the garden.", ("cab", "garden"))
    assert attention.swappable(tiny["bert"], [*SWAPS, uneven]) == SWAPS
    with pytest.raises(InputError, match="none of 1 pairs"):
        attention.swappable(tiny["bert"], [uneven])


def signs():
    return np.array([s for n, r in crossed.VOICES.values() for s in ((n, 1, r), (-n, -1, -r))])


def test_the_design_is_a_full_factorial():
    assert len({tuple(row) for row in signs()}) == 8
    assert (signs().T @ signs() == 8 * np.eye(3)).all()


@pytest.mark.parametrize("effect", list(crossed.EFFECTS))
def test_a_planted_effect_has_all_the_variance_and_noise_one_seventh(effect):
    rng = torch.Generator().manual_seed(0)
    level = torch.tensor(signs()[:, [crossed.FACTORS.index(f) for f in crossed.EFFECTS[effect]]].prod(axis=1)).double()
    direction = torch.randn(2, 3, 400, generator=rng).double()
    found = crossed.effects(level[:, None, None, None] * direction, signs())
    for name in crossed.EFFECTS:
        assert torch.allclose(found[name] / found["total"], torch.tensor(float(name == effect)).double(), atol=1e-12)
    noise = crossed.effects(torch.randn(8, 2, 3, 400, generator=rng).double(), signs())
    assert torch.allclose(sum(noise[name] for name in crossed.EFFECTS), noise["total"])
    assert torch.allclose(noise[effect] / noise["total"], torch.tensor(1 / 7).double(), atol=0.05)


def test_crossed_table_of_every_family(subject):
    assert attention.usable(subject, [ITEM]) == [ITEM]
    table = attention.crossed_table(subject, [ITEM, ITEM])
    assert np.allclose(table[list(crossed.EFFECTS)].sum(axis=1), table["total"])
    shares = attention.shares(table)
    whole = shares[(shares["map"] == "inner") & (shares["layer"] == 0)].set_index("effect")["value"]
    assert whole[list(crossed.EFFECTS)].sum() == pytest.approx(1)
    assert whole["position - token"] == pytest.approx(whole["position"] - whole["token"])
    together = attention.crossed_table(subject, [ITEM, ITEM], batch_size=1)
    assert np.allclose(table["total"], together["total"], atol=1e-6)


def test_crossed_responses_by_hand(tiny):
    subject = tiny["bert"]
    text = ITEM.sentences["active"]
    batch = subject.encode([text])
    tokens = subject.tokens(batch)
    first, second = tokens.index("dog"), tokens.index("cat")
    maps = random_maps(len(tokens), texts=1)
    frame = crossed._frames(subject, ITEM)["active"]
    assert (frame.first, frame.second) == ([first], [second])
    one, two = crossed.noun_responses(maps, frame, range(len(tokens)))
    outside = [i for i in range(len(tokens)) if i < first or i > second]
    a = maps[0, 1].numpy()
    given = [*(a[first, i] for i in outside), a[first, first], a[first, second], a[first, first + 1 : second].sum()]
    received = [*(a[i, first] for i in outside), a[first, first], a[second, first], a[first + 1 : second, first].mean()]
    assert np.allclose(one[0, 1].numpy(), [*given, *received])
    assert float(two[0, 1, len(outside) + 1]) == pytest.approx(a[second, first])


def test_items_that_do_not_fit_are_left_out(tiny):
    other = crossed.Item(("dog", "cab"), {k: v.replace("cat", "cab") for k, v in ITEM.sentences.items()})
    assert attention.usable(tiny["bert"], [ITEM, other]) == [ITEM]
    with pytest.raises(InputError, match=r"item \('dog', 'cab'\) does not fit"):
        attention.crossed_table(tiny["bert"], [other])


def planted_share(maps, *, causal=False):
    mine = layout(maps.shape[-1], causal=causal)
    cells = mine.admissible.clone()
    cells[0] &= not causal
    error, spread = positional.errors(
        maps[None], maps.mean(dim=0)[None], len(maps), cells, 1.0 if causal else 1 / maps.shape[-1]
    )
    return 1 - float(error.sum() / spread.sum())


@pytest.mark.parametrize("causal", [False, True])
def test_positional_share_is_one_on_purely_positional_maps_and_about_zero_on_noise(causal):
    from interp.attention.layout import relative

    mine = layout(10, causal=causal)
    same = relative(random_maps(10, causal=causal, texts=1), mine).expand(40, -1, -1, -1)
    assert planted_share(same, causal=causal) == pytest.approx(1)
    # What even attention leaves in a causal map of noise is nothing: rows have mean one in these units.
    noise = relative(random_maps(10, causal=causal, texts=400), mine)
    assert abs(planted_share(noise, causal=causal)) < 0.01


def test_the_shortcut_equals_leaving_each_text_out():
    maps = random_maps(6, texts=7)
    error, _ = positional.errors(maps[None], maps.mean(dim=0)[None], 7, torch.ones(6, 6, dtype=torch.bool), 1 / 6)
    for text in range(7):
        others = maps[[i for i in range(7) if i != text]].mean(dim=0)
        assert torch.allclose(error[0, text], (maps[text] - others).square().sum(dim=(1, 2)))


def test_positional_table_of_every_family(subject):
    texts = ["The chef thanked the waiter.", "The dog chased the cat.", "The robin sold the boat."]
    table = attention.positional_table(subject, texts, batch_size=2)
    again = attention.positional_table(subject, texts, batch_size=1)
    keys = ["map", "layer", "head", "text"]
    a, b = (t.sort_values(keys).reset_index(drop=True) for t in (table, again))
    assert np.allclose(a[["error", "spread"]], b[["error", "spread"]], atol=1e-6)
    values = attention.share(table)
    assert len(values) == 2 * 3 * 4
    assert (values <= 1).all()


def test_positional_share_needs_enough_texts_of_one_length(tiny):
    texts = ["The chef thanked the waiter.", "The dog chased the cat.", "A boat."]
    assert attention.one_length(tiny["bert"], texts, least=2) == texts[:2]
    with pytest.raises(InputError, match=r"needs 300 texts of one length, and the commonest \(8 tokens"):
        attention.one_length(tiny["bert"], texts)
    with pytest.raises(InputError, match="no texts"):
        attention.one_length(tiny["bert"], [])
    with pytest.raises(InputError, match="of one length"):
        attention.positional_table(tiny["bert"], texts)
    with pytest.raises(InputError, match="texts to compare, not 1"):
        attention.positional_table(tiny["bert"], texts[:1])


def test_eligible_texts(minilm):
    good = "Yesterday the old chef thanked a waiter because dinner in the garden was over."
    short, dull = "The chef thanked the waiter.", "the dog and " * 8 + "the dog."
    assert attention.eligible(minilm, [good, short, dull, "word " * 60]) == [good]
    with pytest.raises(InputError, match="none of 2 texts has 16 to 48 tokens"):
        attention.eligible(minilm, [short, dull])


def test_every_text_is_held_against_another_of_its_length(tiny):
    subject = tiny["bert"]
    texts = [s.text for s in SWAPS] + ["The dog chased the cat."]
    pairs = {}
    for size in (1, 2, 5):
        found = {}
        for chunk in sentences.chunks(subject, texts, size):
            ring = [*chunk.batch.index, *(chunk.extra.index if chunk.extra is not None else [None])]
            found |= dict(itertools.pairwise(ring))
            assert Layout.of(subject, chunk.batch).special.any()
        pairs[size] = found
    assert pairs[1] == pairs[2] == pairs[5]
    assert sorted(pairs[1]) == list(range(5))
    assert all(i != j for i, j in pairs[1].items())


def test_a_lineup_of_one_kind_is_split_evenly_and_a_player_takes_the_sharpest(tiny):
    subject = tiny["bert"]
    alike = [lineup.Candidate(name, subject) for name in "abcd"]
    table = lineup.players_table(alike, [SWAPS[1].text])
    assert np.allclose(table["value"], 0.25)
    two = [lineup.Candidate("real", subject), lineup.Candidate("shuffled", subject, "shuffle-embeddings")]
    shares = lineup.players_table(two, [SWAPS[1].text]).groupby("player")["value"].sum()
    assert np.allclose(shares, 1)
    rounds = lineup.rounds(two, [SWAPS[1].text], count=2)
    assert [m["label"] for m in rounds[0]["maps"]] == ["real", "shuffled"]
    assert rounds[0]["maps"][0]["cells"].max() == 1
    assert rounds[0]["tokens"] == ["the", "dog", "chased", "the", "cat", "in", "a", "garden", "."]
    with pytest.raises(InputError, match="at most 3 tokens"):
        lineup.rounds(two, [SWAPS[1].text], count=1, longest=3)


def test_twins_are_appended_as_perturbations_of_the_weights():
    from interp.studies import with_twins

    frame = pd.DataFrame(
        {"perturbation": ["intact", "shuffle-embeddings"], "seed": 0, "layer": 1, "text": 0, "moran": 1.0}
    )
    found = with_twins({"m": frame, "m:random": frame, "m:permuted:2": frame})
    assert found["perturbation"].tolist() == ["intact", "shuffle-embeddings", "random weights", "permuted weights"]


def test_an_index_needs_no_text_that_the_swap_leaves_alone():
    frame = {"map": "inner", "layer": 1, "head": 1, "text": [0, 1]}
    table = pd.DataFrame(frame | {"token": [0.9, 1.0], "position": [0.5, 1.0], "unmoved": [0.2, 1.0]})
    assert follows.index(table).iloc[0] == pytest.approx(0.5)
