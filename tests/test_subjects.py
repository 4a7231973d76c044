"""Loading, naming, twins, embeddings; on small random models of every family and on the real minilm."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from interp import subjects
from interp.errors import InputError
from interp.subjects import SUBJECTS, catalogue, identify
from interp.subjects.catalogue import Name
from tests.tiny import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_of_each_family_loads(tiny, family):
    subject = tiny[family]
    assert (subject.n_layers, subject.n_heads, subject.width, subject.longest) == (3, 4, 32, 40)
    assert subject.causal == (family != "bert")
    assert subject.embeddings.shape == (len(subject.tokenizer), 32)
    assert not any(p.requires_grad for p in subject.model.parameters())
    assert not subject.model.training


def test_minilm_is_what_it_says(minilm):
    assert (minilm.n_layers, minilm.n_heads, minilm.width) == (6, 12, 384)
    assert minilm.embeddings.shape == (30522, 384)
    assert minilm.identity == "sentence-transformers/all-MiniLM-L6-v2@1110a243fdf4706b3f48f1d95db1a4f5529b4d41"


def test_minilm_gives_the_published_sentence_similarity(minilm):
    """Mean-pooled vectors of two paraphrases are closer than those of two unrelated sentences: the weights are real."""
    texts = ["A man is playing a guitar.", "Someone plays an instrument.", "The stock market fell today."]
    vectors = []
    for text in texts:
        batch = minilm.encode([text])
        with minilm.capture(["blocks.5.resid_post"]) as trace:
            minilm(batch)
        v = trace["blocks.5.resid_post"][0].mean(dim=0)
        vectors.append(v / v.norm())
    assert vectors[0] @ vectors[1] > 0.5 > 0.2 > vectors[0] @ vectors[2]


def test_wrong_weights_are_noticed(monkeypatch):
    from dataclasses import replace

    from interp.subjects import catalogue

    monkeypatch.setitem(catalogue.SUBJECTS._members, "minilm", replace(SUBJECTS["minilm"], sha256="0" * 64))
    with pytest.raises(InputError, match="weights of minilm have the wrong checksum"):
        subjects.load("minilm")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("minilm", ("minilm", None, 0)),
        ("minilm:random", ("minilm", "random", 0)),
        ("org/name@abc:permuted:7", ("org/name@abc", "permuted", 7)),
    ],
)
def test_names_are_taken_apart(name, parts):
    parsed = Name.parse(name)
    assert (parsed.base, parsed.twin, parsed.seed) == parts


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("minilmm", "unknown subject 'minilmm'; did you mean 'minilm'"),
        ("minilm:rnadom", "unknown twin 'rnadom'; did you mean 'random'"),
        ("minilm:random:x", "the seed 'x' is not a whole number"),
        ("", "needs a name"),
        ("org/name", "has no revision: write org/name@COMMIT"),
        ("org/name@abc", "cannot get org/name@abc from the model hub"),
    ],
)
def test_bad_names_are_one_clear_line(name, message, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(InputError, match=message) as caught:
        subjects.load(name)
    assert "\n" not in str(caught.value)


def test_device_and_dtype_are_checked():
    with pytest.raises(InputError, match="unknown dtype 'float31'; did you mean 'float32'"):
        subjects.load("minilm", dtype="float31")
    with pytest.raises(InputError, match="unknown device 'gpu'"):
        subjects.load("minilm", device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="torch sees no CUDA device"):
            subjects.load("minilm", device="cuda")


def altered(folder, to, change):
    """A copy of a model's folder, its weights changed."""
    shutil.copytree(folder, to)
    weights = load_file(to / "model.safetensors")
    change(weights)
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return str(to)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_lack_a_tensor_are_refused_and_not_made_up(family, tiny_folders, tmp_path):
    gone = []

    def change(weights):
        gone.extend(name for name in weights if "pooler" not in name)
        del weights[gone[7]]

    with pytest.raises(InputError, match="lack") as caught:
        subjects.load(altered(tiny_folders[family], tmp_path / "model", change))
    assert gone[7] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encoder_without_a_pooler_is_the_same(tiny_folders, tmp_path):
    def change(weights):
        for name in ("pooler.dense.weight", "pooler.dense.bias"):
            del weights[name]

    states = []
    for folder in (altered(tiny_folders["bert"], tmp_path / "model", change), str(tiny_folders["bert"])):
        subject = subjects.load(folder)
        with subject.capture(["blocks.2.resid_post"]) as trace:
            subject(subject.encode(["the chef thanked the waiter"]))
        states.append(trace["blocks.2.resid_post"])
    assert torch.equal(*states)


def test_another_tokenizer_is_another_subject(tiny_folders, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_folders["bert"], folder)
    before = subjects.identify(str(folder))
    assert before == subjects.identify(str(tiny_folders["bert"]))
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace("chef", "cook"))
    assert subjects.identify(str(folder)) != before


def test_a_folder_without_safetensors_is_refused(tiny_folders, tmp_path):
    with pytest.raises(InputError, match=r"no config\.json"):
        subjects.load(str(tmp_path))
    (tmp_path / "config.json").write_text((tiny_folders["bert"] / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(InputError, match=r"only pytorch_model\.bin\); pickled weights are never loaded"):
        subjects.load(str(tmp_path))


def test_a_damaged_or_unsupported_folder_is_one_clear_line(tiny_folders, tmp_path):
    for file in tiny_folders["bert"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00nonsense")
    with pytest.raises(InputError, match="cannot load subject"):
        subjects.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": "wide"}')
    with pytest.raises(InputError, match="cannot load subject"):
        subjects.load(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(InputError, match="models of type 't5' are not supported"):
        subjects.load(str(tmp_path))


def test_no_code_of_a_model_folder_is_run(tiny_folders, tmp_path):
    for file in tiny_folders["bert"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert subjects.load(str(tmp_path)).n_layers == 3  # the known class is used, the file left alone


def test_identity_follows_the_bytes(tiny_folders, tmp_path):
    from tests.tiny import folder

    same, other = folder("bert", tmp_path / "a"), folder("bert", tmp_path / "b", seed=1)
    assert identify(str(same)) == identify(str(tiny_folders["bert"]))
    assert identify(str(other)) != identify(str(same))
    assert identify("minilm:permuted:2") == identify("minilm") + ":permuted:2"


@pytest.mark.parametrize("family", FAMILIES)
def test_twins(tiny, tiny_folders, family):
    path = str(tiny_folders[family])
    original = dict(tiny[family].model.named_parameters())
    for twin in ("random", "permuted"):
        first, again, other = (subjects.load(f"{path}:{twin}:{seed}") for seed in (1, 1, 2))
        for name, tensor in first.model.named_parameters():
            assert torch.equal(tensor, dict(again.model.named_parameters())[name])
            if twin == "permuted":
                assert torch.equal(tensor.flatten().sort().values, original[name].flatten().sort().values)
        assert not torch.equal(first.embeddings, other.embeddings)
        assert not torch.equal(first.embeddings, tiny[family].embeddings)


def test_twins_leave_the_random_state_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    subjects.load("minilm:random:5")
    assert torch.equal(torch.rand(1), expected)


def test_wordpiece_vectors_are_means_of_table_rows(minilm):
    vectors = minilm.lemma_vectors(["dog", "tape measure", "dog"])
    ids = minilm.tokenizer.convert_tokens_to_ids(["tape", "measure"])
    table = minilm.embeddings.double().numpy()
    assert np.allclose(vectors[1], table[ids].mean(axis=0))
    assert np.array_equal(vectors[0], vectors[2])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_layer_vectors_are_means_of_hidden_states(tiny, family, layer):
    """Against one lemma at a time through the model's own hidden states."""
    subject = tiny[family]
    lemmas = ["chef", "paper boat", "fox", "old garden house"]
    vectors = subject.lemma_vectors(lemmas, f"layer:{layer}", batch_size=2)
    if layer == 3 and family != "bert":
        return  # transformers gives the last state after the final norm only
    for lemma, vector in zip(lemmas, vectors, strict=True):
        coded = subject.tokenizer(lemma, return_tensors="pt")
        hidden = subject.model(**{k: coded[k] for k in ("input_ids", "attention_mask")}, output_hidden_states=True)
        inner = slice(1, -1) if family == "bert" else slice(None)
        assert np.allclose(vector, hidden.hidden_states[layer][0, inner].double().mean(dim=0).numpy(), atol=1e-5)


def test_lemmas_that_cannot_be_spelled_are_refused(minilm):
    for bad, message in [
        ("", "no tokens"),
        ("\u2603\ufe0f\U0001f9ff", "does not know"),
        ("   ", "no tokens"),
    ]:
        with pytest.raises(InputError, match=message):
            minilm.lemma_vectors(["dog", bad])


def test_unknown_embeddings_are_refused(minilm):
    for bad, message in [
        ("layer:7", r"layers 0\.\.6"),
        ("layer:x", "unknown embedding"),
        ("words", "unknown embedding"),
    ]:
        with pytest.raises(InputError, match=message):
            minilm.lemma_vectors(["dog"], bad)


def test_texts_that_cannot_be_encoded_are_refused(minilm):
    with pytest.raises(InputError, match="has no tokens"):
        minilm.encode([""])
    with pytest.raises(InputError, match="takes 512 at most"):
        minilm.encode(["word " * 600])
    with pytest.raises(InputError, match="no text"):
        minilm.encode([])


def test_small_subjects_are_shared_and_large_ones_are_not_kept(tiny_folders, monkeypatch):
    name = str(tiny_folders["bert"])
    monkeypatch.setattr(catalogue, "_kept", {})
    first, twin = subjects.shared(name), subjects.shared(f"{name}:random")
    assert subjects.shared(name) is first
    assert subjects.shared(f"{name}:random") is twin
    assert subjects.shared(name, dtype="float64") is not first
    monkeypatch.setattr(catalogue, "KEPT_BYTES", 0)
    assert subjects.shared(name) is first
    assert subjects.shared(name) is not first
