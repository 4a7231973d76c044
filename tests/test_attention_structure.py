"""Measures of a map against closed forms, slow loops and exhaustive enumeration; comparison of maps."""

import itertools
import math

import numpy as np
import pytest
import torch

from interp.attention import map_tables, pooled, structure
from interp.attention.comparison import calibrated, carried, comparable, jensen_shannon, pearson, similarities
from interp.attention.layout import Layout, inner_map, relative
from interp.attention.structure import MEASURES, entropy, gini_received, moran_excess
from tests.tiny import FAMILIES

TEXTS = [
    "The chef thanked the waiter.",
    "A dog chased the cat in the garden.",
    "The river is longer than the canal.",
    "The canal is longer than the river.",
    "A cat sold the boat in the kitchen.",
]


def layout(size, *, causal=False, special=(), texts=1, marks=()):
    flags, found = torch.zeros(size, dtype=torch.bool), torch.zeros(texts, size, dtype=torch.bool)
    flags[list(special)] = True
    found[:, list(marks)] = True
    return Layout(flags, found, causal)


def random_maps(size, *, causal=False, texts=2, heads=3, seed=0):
    scores = 2 * torch.randn(texts, heads, size, size, generator=torch.Generator().manual_seed(seed)).double()
    if causal:
        scores = scores.masked_fill(torch.ones(size, size, dtype=torch.bool).triu(1), float("-inf"))
    return scores.softmax(dim=-1)


def even(size, causal):
    cells = layout(size, causal=causal).admissible.double()
    return (cells / cells.sum(dim=-1, keepdim=True))[None, None]


def slow_moran(cells):
    """Moran's I of a dictionary (row, column) -> value with rook neighbours, by its definition."""
    mean = sum(cells.values()) / len(cells)
    top = weights = 0.0
    for (i, j), value in cells.items():
        for near in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if near in cells:
                top += (value - mean) * (cells[near] - mean)
                weights += 1
    return len(cells) / weights * top / sum((v - mean) ** 2 for v in cells.values())


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [4, 5])
def test_moran_excess_is_i_minus_its_mean_over_every_permutation(size, causal):
    maps = random_maps(size, causal=causal, texts=1, heads=2)
    mine = layout(size, causal=causal)
    values = relative(maps, mine)[0]
    for head in range(2):
        z = values[head].numpy()

        def arranged(order, z=z):
            if not causal:
                return {(i, j): z[order[i], order[j]] for i in range(size) for j in range(size)}
            pairs = {(i, j): (order[i], order[j]) for i in range(size) for j in range(i + 1)}
            return {cell: z[max(pair), min(pair)] for cell, pair in pairs.items()}

        everywhere = [slow_moran(arranged(order)) for order in itertools.permutations(range(size))]
        wanted = everywhere[0] - np.mean(everywhere)
        assert float(moran_excess(maps, mine)[0, head]) == pytest.approx(wanted, abs=1e-10)


def test_stripes_and_even_attention_are_no_spatial_structure_but_neighbourhoods_are():
    size = 12
    drawn = torch.rand(1, 400, 1, size, generator=torch.Generator().manual_seed(2)).double().expand(1, 400, size, size)
    raw = [slow_moran({(i, j): float(m[i, j]) for i in range(size) for j in range(size)}) for m in drawn[0, :30]]
    assert np.mean(raw) > 0.3
    # One draw of columns is in some order, smooth or rough; over draws the excess vanishes.
    assert abs(float(moran_excess(drawn, layout(size)).mean())) < 0.02
    for causal in (False, True):
        assert float(moran_excess(even(size, causal), layout(size, causal=causal))) == 0
    distance = (torch.arange(size)[:, None] - torch.arange(size)).abs().double()
    band = (-distance / 2).softmax(dim=-1)[None, None]
    assert float(moran_excess(band, layout(size))) > 0.4


@pytest.mark.parametrize("causal", [False, True])
def test_entropy_is_one_for_even_attention_and_zero_for_one_key(causal):
    mine = layout(9, causal=causal)
    assert float(entropy(even(9, causal), mine)) == pytest.approx(1)
    assert float(entropy(torch.eye(9).double()[None, None], mine)) == pytest.approx(0, abs=1e-12)
    drawn = entropy(random_maps(9, causal=causal), mine)
    assert ((drawn > 0) & (drawn < 1)).all()


def test_entropy_of_a_causal_map_is_the_mean_of_its_rows_by_log_of_their_length():
    maps = random_maps(6, causal=True, texts=1, heads=1)
    rows = maps[0, 0].numpy()
    wanted = np.mean([-sum(p * math.log(p) for p in rows[i, : i + 1]) / math.log(i + 1) for i in range(1, 6)])
    assert float(entropy(maps, layout(6, causal=True))) == pytest.approx(wanted, abs=1e-12)


def test_gini_closed_forms():
    size = 8
    one = torch.zeros(1, 1, size, size, dtype=torch.float64)
    one[..., 3] = 1
    assert float(gini_received(one, layout(size))) == pytest.approx(1 - 1 / size)
    assert float(gini_received(even(size, False), layout(size))) == pytest.approx(0, abs=1e-12)
    assert float(gini_received(torch.eye(size).double()[None, None], layout(size))) == pytest.approx(0, abs=1e-12)
    maps = random_maps(size, causal=True, texts=1, heads=1)
    x = np.array([maps[0, 0, max(j, 1) :, j].mean() for j in range(size)])
    slow = np.abs(x[:, None] - x[None, :]).sum() / (2 * size**2 * x.mean())
    assert float(gini_received(maps, layout(size, causal=True))) == pytest.approx(slow, abs=1e-12)


def test_masses_are_what_they_say():
    maps = random_maps(7, texts=1, heads=1)
    found = structure(maps, layout(7, special=(0, 6), marks=(5,)))
    a = maps[0, 0].numpy()[1:6]
    assert set(found) == set(MEASURES)
    assert float(found["special"]) == pytest.approx(a[:, [0, 6]].sum() / 5)
    assert float(found["punctuation"]) == pytest.approx(a[:, 5].mean())
    assert float(found["first"]) == pytest.approx(a[:, 1].mean())
    for name, offset in (("previous", -1), ("own", 0), ("next", 1)):
        assert float(found[name]) == pytest.approx(np.mean([a[i - 1, i + offset] for i in range(1, 6)]))


def test_what_has_no_meaning_is_nan():
    found = structure(random_maps(6, causal=True), layout(6, causal=True, texts=2))
    for name in ("special", "punctuation", "next"):
        assert found[name].isnan().all()
    assert found["previous"].isfinite().all()


@pytest.mark.parametrize("causal", [False, True])
def test_identical_maps_are_similar_by_one_and_carrying_along_undoes_a_permutation(causal):
    mine = layout(9, special=() if causal else (0, 8), texts=2, causal=causal)
    a = random_maps(9, causal=causal)
    for value in similarities(a, a, mine).values():
        assert torch.allclose(value, torch.ones((), dtype=torch.float64))
    order = torch.tensor([[0, 3, 2, 1, 5, 4, 7, 6, 8], [0, 7, 6, 5, 4, 3, 2, 1, 8]])
    found = similarities(carried(a, order), a, mine, order)
    for value in found.values():
        assert torch.allclose(value, torch.ones((), dtype=torch.float64))
    for text in range(2):
        p = torch.eye(9).double()[order[text]]
        assert torch.allclose(carried(a, order)[text], p @ a[text] @ p.T)


def test_similarities_equal_scipys():
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import pearsonr

    a, b = random_maps(6, causal=True, seed=1), random_maps(6, causal=True, seed=2)
    cells = comparable(layout(6, causal=True))
    lower = np.tril_indices(6)
    lower = tuple(x[1:] for x in lower)
    x, y = a[1, 2].numpy(), b[1, 2].numpy()
    assert float(pearson(a, b, cells)[1, 2]) == pytest.approx(pearsonr(x[lower], y[lower]).statistic)
    rows = [jensenshannon(x[i, : i + 1], y[i, : i + 1], base=2) ** 2 for i in range(1, 6)]
    assert float(jensen_shannon(a, b, cells)[1, 2]) == pytest.approx(np.mean(rows))


def test_causal_comparison_carried_along_uses_only_what_both_may_hold():
    """Weights under the mask of either map must not count: changing them changes nothing."""
    mine, order = layout(6, causal=True), torch.tensor([[2, 0, 1, 4, 5, 3]])
    a, b = random_maps(6, causal=True, texts=1), random_maps(6, causal=True, texts=1, seed=5)
    cells = comparable(mine, order)
    there = carried(mine.admissible.double().expand(1, 1, 6, 6), order)[0, 0].bool()
    assert (cells[0] <= (mine.admissible & there)).all()
    noisy = a + ~mine.admissible * 7.0
    assert torch.allclose(pearson(noisy, carried(b, order), cells), pearson(a, carried(b, order), cells))
    assert torch.allclose(jensen_shannon(noisy, carried(b, order), cells), jensen_shannon(a, carried(b, order), cells))


def test_calibration_is_one_on_identity_and_about_zero_on_another_unrelated_map():
    mine = layout(14)
    base = torch.rand(1, 1, 14, 14, generator=torch.Generator().manual_seed(0)).double()  # what all maps share
    a, b, c = (((random_maps(14, texts=60, seed=s)) + 0.3 * base).double() for s in range(3))
    unrelated = similarities(a, b, mine)
    assert unrelated["pearson, full"].mean() > 0.1
    for name, value in similarities(a, c, mine).items():
        assert abs(float(calibrated(value.mean(), unrelated[name].mean()))) < 0.05
        assert float(calibrated(similarities(a, a, mine)[name].mean(), unrelated[name].mean())) == pytest.approx(1)


@pytest.fixture(params=FAMILIES)
def subject(request, tiny):
    return tiny[request.param]


def test_maps_of_every_family_sum_to_one_and_look_at_no_future(subject):
    batch = subject.encode(TEXTS[2:3])
    with subject.capture(["blocks.*.attn.weights"]) as trace:
        subject(batch)
    mine = Layout.of(subject, batch)
    for maps in trace.stack("*"):
        inside = inner_map(maps, mine)
        assert torch.allclose(inside.sum(dim=-1), torch.ones((), dtype=torch.float64))
        assert maps[0, :, ~mine.admissible].abs().sum() == 0
        found = structure(maps, mine)
        assert found["next"].isnan().all() == subject.causal
        assert found["special"].isnan().all() == (not mine.special.any())


def test_batch_composition_changes_nothing(subject):
    names = ["shuffle-words", "shuffle-embeddings", "random-tokens", "shuffle-positions"]
    together, heads = map_tables(subject, TEXTS, names, batch_size=5)
    alone, alone_heads = map_tables(subject, TEXTS, names, batch_size=1)
    keys = ["perturbation", "layer", "text"]
    a, b = (t.sort_values(keys).reset_index(drop=True) for t in (together, alone))
    assert (a[keys] == b[keys]).all().all()
    for column in a.columns.difference([*keys, "seed"]):
        assert np.allclose(a[column], b[column], atol=1e-6, equal_nan=True), column
    measured = heads.columns.difference(["perturbation", "layer", "head"])
    assert np.allclose(heads[measured], alone_heads[measured], atol=1e-6, equal_nan=True)


def test_tables_hold_means_of_the_maps_themselves(subject):
    table, heads = map_tables(subject, TEXTS[2:4], [])
    batch = subject.encode(TEXTS[2:4])
    with subject.capture(["blocks.1.attn.weights"]) as trace:
        subject(batch)
    maps, mine = trace["blocks.1.attn.weights"], Layout.of(subject, batch)
    found = structure(maps, mine)["moran"]
    rows = table[table["layer"] == 2].sort_values("text")
    assert np.allclose(rows["moran"], found.mean(dim=1))
    assert np.allclose(heads[heads["layer"] == 2].sort_values("head")["moran"], found.mean(dim=0))
    unrelated = similarities(maps, maps.flip(0), mine)["pearson, inner"]
    assert np.allclose(rows["pearson, inner, unrelated"], unrelated.mean(dim=1))


def test_pooling_by_hand():
    import pandas as pd

    table = pd.DataFrame(
        {
            "perturbation": ["intact"] * 3 + ["shaken"] * 3,
            "seed": 0,
            "layer": 1,
            "text": [0, 1, 2] * 2,
            "moran": [0.4, 0.2, 0.3, 0.1, 0.2, 0.3],
            "entropy, inner": [0.5] * 3 + [0.75] * 3,
            "pearson, inner, unrelated": [0.2, 0.2, np.nan, *[np.nan] * 3],
            "pearson, inner, in place": [*[np.nan] * 3, 0.6, 0.2, 0.4],
        }
    )
    found = pooled(table).set_index(["perturbation", "quantity"])
    assert found.loc[("shaken", "kept, spatial structure"), "value"] == pytest.approx(0.2 / 0.3)
    assert found.loc[("shaken", "kept, concentration"), "value"] == pytest.approx(0.5)
    same = found.loc[("shaken", "same map, pearson, inner, in place")]
    assert same["value"] == pytest.approx((0.4 - 0.2) / 0.8)
    assert same["low"] < same["value"] < same["high"]
    assert len(same["replicates"]) == 1000
    assert found.loc[("intact", "moran"), "value"] == pytest.approx(0.3)
