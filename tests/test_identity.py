"""Token identity on planted states, where the answer is known, and on real small models."""

import numpy as np
import pandas as pd
import pytest
import torch

from interp import residual
from interp.errors import InputError
from interp.residual import identity, lookup
from interp.residual.identity import MEASURES, Deal, identity_table, read
from interp.residual.lookup import Queries, embedding_output
from interp.residual.ridge import Moments, ridge
from interp.seeding import generator
from interp.subjects import Batch
from tests.tiny import FAMILIES, WORDS

TYPES, WIDTH = 300, 12


class Planted:
    """A subject whose hidden states are planted; a text is a row of type numbers."""

    name, n_layers, width, device = "planted", 3, WIDTH, torch.device("cpu")

    def __init__(self):
        rng = torch.Generator().manual_seed(0)
        self.embeddings = torch.randn(TYPES, WIDTH, generator=rng) + 2.0
        self.places = torch.randn(40, WIDTH, generator=rng)
        self.map = torch.randn(WIDTH, WIDTH, generator=rng)
        self.tokenizer = self
        self.all_special_ids = []

    def __len__(self):
        return TYPES

    def convert_ids_to_tokens(self, ids):
        return [f"w{i}" for i in ids]

    def batches(self, texts, size):
        for start in range(0, len(texts), size):
            ids = torch.tensor([[int(x) for x in t.split()] for t in texts[start : start + size]])
            special = torch.zeros_like(ids, dtype=torch.bool)
            yield Batch(ids, torch.ones_like(ids), special, tuple(range(start, start + len(ids))))


def planted_read(subject, batch):
    """Layer 0 the embedding output; 1 the type's row; 2 noise; 3 a linear map of the row, with a large common mean."""
    rows, positions = (~batch.special).nonzero(as_tuple=True)
    types = batch.ids.flatten()
    row = subject.embeddings[types]
    noise = torch.from_numpy(generator(1, str(types.tolist())).standard_normal(row.shape)).float()
    states = torch.stack([row + subject.places[positions], row, noise, row @ subject.map + 20])
    return identity.Tokens(states, types, positions, rows)


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setattr(identity, "read", planted_read)
    monkeypatch.setattr(lookup, "embedding_output", lambda s, ids: s.embeddings[ids] + s.places[: ids.shape[1]])
    subject = Planted()
    rng = np.random.default_rng(0)
    texts = [" ".join(map(str, rng.choice(TYPES, size=8, replace=False))) for _ in range(150)]
    table = residual.pooled(
        identity_table(subject, texts, types=TYPES, queries=300), by=["target", "view", "measure", "types", "layer"]
    )
    return table.set_index(["target", "view", "measure", "types", "layer"])["value"].sort_index()


def test_an_identity_map_is_found_and_noise_is_at_chance(planted):
    for where in ("vocabulary", "sentence"):
        found = planted["table", "raw", f"retrieval, {where}", "all"]
        assert found[1] == 1
    assert planted["table", "raw", "cosine", "all", 1] == pytest.approx(1, abs=1e-6)
    # Eight different types in a sentence, 300 in the vocabulary; about 420 positions, so three standard errors.
    assert planted["table", "raw", "retrieval, sentence", "all", 2] == pytest.approx(1 / 8, abs=0.05)
    assert planted["table", "raw", "chance, sentence", "all", 2] == pytest.approx(1 / 8)
    assert planted["table", "ridge", "retrieval, vocabulary", "all", 2] < 0.03
    assert planted["table", "ridge", "above other sentences", "all", 2] == pytest.approx(0, abs=0.05)
    assert (planted["input", :, "retrieval, vocabulary", "all", 0] == 1).all()


def test_the_map_is_recovered_on_types_that_the_fit_has_not_seen(planted):
    assert planted["table", "raw", "retrieval, vocabulary", "unseen", 3] < 0.1
    assert planted["table", "ridge", "retrieval, vocabulary", "unseen", 3] == 1
    assert planted["table", "ridge", "cosine", "unseen", 3] > 0.999


def test_the_baseline_takes_off_what_all_types_share(planted):
    """All rows share a mean: raw cosines are high, and only what is above the baseline tells the own type."""
    assert planted["table", "raw", "cosine", "all", 1] == pytest.approx(1, abs=1e-6)
    assert planted["table", "raw", "above other sentences", "all", 1] < 0.4
    assert planted["table", "centred", "above other sentences", "all", 1] > 0.9
    assert planted["table", "centred", "above the sentence", "all", 1] > 0.9


def test_moments_give_ridge_as_it_is_defined():
    rng = torch.Generator().manual_seed(0)
    x, y = (torch.randn(80, 5, generator=rng, dtype=torch.float64) + 3 for _ in range(2))
    y = y + x @ torch.randn(5, 5, generator=rng, dtype=torch.float64)
    fit, development = Moments(5, 5), Moments(5, 5)
    fit.add(x[:30], y[:30])
    fit.add(x[30:50], y[30:50])
    development.add(x[50:], y[50:])
    found = ridge(fit, development)

    def slow(penalty):
        a, b = x[:50] - x[:50].mean(dim=0), y[:50] - y[:50].mean(dim=0)
        scale = (a.T @ a / 50).trace() / 5
        weight = torch.linalg.solve(a.T @ a / 50 + penalty * scale * torch.eye(5), a.T @ b / 50)
        miss = (x[50:] - x[:50].mean(dim=0)) @ weight + y[:50].mean(dim=0) - y[50:]
        return weight, float(miss.square().sum(dim=1).mean())

    from interp.residual.ridge import PENALTIES

    best = min(PENALTIES, key=lambda p: slow(p)[1])
    assert found.penalty == best
    assert torch.allclose(found.weight, slow(best)[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_embedding_output_is_had_without_running_a_block(tiny, family):
    subject = tiny[family]
    batch = subject.encode(["the chef thanked the waiter"])
    ran = []
    handle = subject.blocks[0].register_forward_hook(lambda *_: ran.append(1))
    found = embedding_output(subject, batch.ids)
    assert ran == []
    handle.remove()
    with subject.capture(["embed"]) as trace:
        subject(batch)
    assert torch.allclose(found, trace["embed"], atol=1e-6)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(1)
    return [" ".join(rng.choice(WORDS, size=rng.integers(5, 12))) for _ in range(40)]


@pytest.mark.parametrize("family", FAMILIES)
def test_at_the_input_every_token_is_itself(tiny, texts, family):
    subject = tiny[family]
    table = identity_table(subject, texts, types=50, queries=60)
    assert set(table["measure"]) == set(MEASURES)
    assert set(table["layer"]) == set(range(subject.n_layers + 1))
    start = table[(table["layer"] == 0) & (table["target"] == "input") & (table["view"] != "ridge")]
    for measure in ("cosine", "retrieval, vocabulary", "retrieval, sentence"):
        assert np.allclose(start.loc[start["measure"] == measure, "value"], 1, atol=1e-5)
    whole, parts = (table[table["types"].isin(g)].groupby(["target", "view", "measure", "layer"])["positions"].sum()
                    for g in (["all"], ["seen", "unseen"]))  # fmt: skip
    assert (whole == parts).all()


def test_batches_change_nothing(tiny, texts):
    keys = ["target", "view", "measure", "types", "layer", "text"]
    a, b = (
        identity_table(tiny["bert"], texts, types=50, queries=10**6, batch_size=n).sort_values(keys, ignore_index=True)
        for n in (1, 16)
    )
    pd.testing.assert_frame_equal(a, b, rtol=0, atol=1e-5)


def test_the_texts_are_dealt_apart_and_withheld_types_stay_out(tiny, texts):
    deal = Deal.of(40, 80, 0.25, 0)
    assert sorted(deal.fit + deal.development + deal.test) == list(range(40))
    assert 10 < int(deal.withheld.sum()) < 30
    subject = tiny["bert"]
    fitted = identity.Fitted(subject, texts, Deal.of(40, len(subject.embeddings), 0.25, 0), 8, 0)
    assert not (fitted.seen & Deal.of(40, len(subject.embeddings), 0.25, 0).withheld).any()


def test_special_tokens_are_no_queries(tiny):
    subject = tiny["bert"]
    batch = subject.encode(["the chef thanked"])
    tokens = read(subject, batch)
    assert tokens.states.shape[1] == len(tokens.types) == 3
    assert tokens.positions.tolist() == [1, 2, 3]


def test_the_sample_of_queries_is_uniform_and_bounded():
    counts = np.zeros(30)
    asked = Queries(10)
    asked._rng = np.random.default_rng(0)
    for _ in range(400):
        fresh = Queries(10)
        fresh._rng = asked._rng
        for start in range(0, 30, 6):
            index = torch.arange(start, start + 6)
            fresh.add(torch.zeros(2, 6, 1), index, index, index, index, torch.ones(6, dtype=torch.bool))
        assert len(fresh) == 10
        counts[fresh.types.numpy()] += 1
    assert counts.sum() == 4000
    assert abs(counts - 400 / 3).max() < 4 * np.sqrt(400 * (1 / 3) * (2 / 3))


def test_first_below():
    table = pd.DataFrame({"layer": [0, 1, 2, 3], "value": [1.0, 0.8, 0.4, 0.6]})
    assert residual.first_below(table, 0.5) == 2
    assert residual.first_below(table, 0.3) is None


def test_bad_input(tiny, texts):
    with pytest.raises(InputError, match="3 texts are too few"):
        identity_table(tiny["bert"], texts[:3])
    with pytest.raises(InputError, match="withhold fewer types"):
        identity_table(tiny["bert"], texts, withheld=1.0)
    with pytest.raises(InputError, match="cannot look up 0 positions"):
        identity_table(tiny["bert"], texts, queries=0)
