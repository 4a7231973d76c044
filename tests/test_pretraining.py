"""Training of the position schemes: a function of its seed, interrupted or not; it learns; bad input is one line."""

import json

import numpy as np
import pytest
import torch

from interp import subjects
from interp.errors import InputError
from interp.pretraining import SIZES, prose, training
from interp.studies.training_record import perplexity, training_record

SENTENCES = [
    f"The {a} {b} the {c} ." for a in ("cat", "dog", "cook") for b in ("sees", "likes") for c in ("man", "sea", "cup")
]
SIZE = SIZES["tiny"]


@pytest.fixture(scope="module")
def text():
    coder = prose.tokenizer(SENTENCES * 20, SIZE.vocabulary, SIZE.window)
    return coder, prose.windows(coder, SENTENCES * 40, SIZE.window)


def trained(text, folder, *, scheme="alibi", seed=0, stop=None):
    coder, windows = text
    torch.manual_seed(int.from_bytes(np.random.default_rng().bytes(4), "little"))  # must not matter
    model = training.untrained(training.config(SIZE, scheme, len(coder)), seed)
    record = training.train(model, windows[4:], windows[:4], SIZE, seed=seed, folder=folder, stop=stop)
    return model, record


def test_the_loss_falls(text, tmp_path):
    _, record = trained(text, tmp_path)
    assert record["held out"][-1][1] < 0.6 * record["held out"][0][1]
    assert [step for step, _ in record["held out"]] == [0, 10, 20, 30, 40]


def test_an_interrupted_run_ends_where_the_other_ends(text, tmp_path):
    whole, record = trained(text, tmp_path / "whole")
    trained(text, tmp_path / "parts", stop=25)  # after the checkpoint at 20: five steps are lost and done again
    again, resumed = trained(text, tmp_path / "parts")
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))
    assert resumed["held out"] == record["held out"]
    assert resumed["train"] == record["train"]


def test_another_seed_is_another_run(text, tmp_path):
    a, b = (trained(text, tmp_path / str(s), seed=s, stop=3)[0] for s in (0, 1))
    assert not torch.equal(a.embed_tokens.weight, b.embed_tokens.weight)


def test_a_checkpoint_of_another_model_is_refused(text, tmp_path):
    trained(text, tmp_path, scheme="alibi")
    with pytest.raises(InputError, match="is no checkpoint of this model"):
        trained(text, tmp_path, scheme="absolute")


def test_every_pass_sees_every_window_once():
    seen = np.concatenate([training.batch_rows(10, 4, step, seed=0) for step in range(5)])
    assert sorted(seen[:10]) == list(range(10))
    assert sorted(seen[10:]) == list(range(10))
    assert list(seen[:10]) != list(seen[10:])


def test_the_rate_rises_and_falls_to_a_tenth():
    rates = [training.rate(SIZE, step) for step in range(SIZE.steps)]
    assert rates.index(max(rates)) <= 3
    assert max(rates) == pytest.approx(SIZE.rate)
    assert rates[-1] == pytest.approx(SIZE.rate / 10, rel=0.1)


def test_windows_begin_with_a_sentence(text):
    coder, windows = text
    begin = coder.bos_token_id
    assert windows.shape[1] == SIZE.window
    assert (windows[:, 0] == begin).all()
    assert (windows[:, 1:] != begin).all()
    assert {coder.convert_ids_to_tokens(int(i)) for i in windows[:, 1]} == {"the"}


def test_a_sentence_longer_than_a_window_fills_one(text):
    coder, _ = text
    long = " ".join(["cat"] * 100)
    rows = prose.windows(coder, [long, "The cat sees the man ."] * 20, 12)
    assert len(rows) >= 20
    assert (rows[:, 0] == coder.bos_token_id).all()


@pytest.fixture
def _books(monkeypatch):
    monkeypatch.setattr(prose, "load", lambda: prose.Prose(tuple(SENTENCES * 40), tuple(SENTENCES), ("d01",)))


def run(out, schemes=("none",), **kwargs):
    return training.run(list(schemes), "tiny", seed=0, out=out, device="cpu", **kwargs)


@pytest.mark.usefixtures("_books")
def test_what_it_writes_is_a_subject_with_a_record(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "store"))
    run(tmp_path, ["absolute"])
    folder = tmp_path / "absolute"
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json", "model.safetensors", "settings.json", "tokenizer.json", "tokenizer_config.json", "training.json",
    ]  # fmt: skip
    subject = subjects.load(str(folder))
    assert (subject.n_layers, subject.n_heads, subject.width, subject.causal) == (2, 2, 32, True)
    assert subject.encode(["The cat."]).special.tolist()[0][:2] == [True, False]
    tables = training_record(str(folder))
    with torch.no_grad():
        model = subject.model
        model.config._attn_implementation = "eager"
        coder = subject.tokenizer
        windows = torch.from_numpy(prose.windows(coder, SENTENCES, SIZE.window)).long()
        published = np.mean(training.held_out_losses(model, windows, 8))
    assert tables["windows"]["loss"].mean() == pytest.approx(published, rel=1e-5)
    value, low, high = perplexity(tables["windows"])
    assert low <= value <= high


@pytest.mark.usefixtures("_books")
def test_a_finished_scheme_is_not_trained_again(tmp_path):
    first = run(tmp_path)
    before = (tmp_path / "none" / "model.safetensors").stat().st_mtime_ns
    assert run(tmp_path) == json.loads(json.dumps(first))
    assert (tmp_path / "none" / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.usefixtures("_books")
def test_bad_input_is_named(tmp_path):
    run(tmp_path)
    with pytest.raises(InputError, match="holds a run with other settings"):
        run(tmp_path, steps=5)
    with pytest.raises(InputError, match="unknown position scheme 'rotry'; did you mean 'rotary'"):
        run(tmp_path, ["rotry"])
    with pytest.raises(InputError, match="unknown size 'smal'; did you mean 'small'"):
        training.run(["none"], "smal", seed=0, out=tmp_path, device="cpu")
    with pytest.raises(InputError, match="--steps 0"):
        run(tmp_path, steps=0)
    with pytest.raises(InputError, match=r"unknown device|torch sees no"):
        training.run(["none"], "tiny", seed=0, out=tmp_path / "x", device="gpu")


def test_without_the_text_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_DATA", str(tmp_path))
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"prose: no file 'prose-1\.tsv'"):
        run(tmp_path / "out")


def test_a_subject_without_a_record_is_named():
    with pytest.raises(InputError, match="has no training record"):
        training_record("minilm")


@pytest.mark.usefixtures("_books")
def test_a_later_run_does_not_make_the_vocabulary_anew(tmp_path, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr(prose, "tokenizer", None)
    run(tmp_path, ["alibi"])
    one, other = ((tmp_path / s / "tokenizer.json").read_bytes() for s in ("none", "alibi"))
    assert one == other
