"""Compressed subjects: their names, what is kept and what goes, and what their output does."""

import numpy as np
import pytest
import torch

from interp import residual, studies, subjects
from interp.errors import InputError
from interp.residual.blockview import Affine
from interp.subjects.catalogue import COMPRESSION_NAMES, Name
from interp.subjects.compression import COMPRESSIONS, silent_heads, weight_bytes
from tests.tiny import folder as folder_of

TEXT = "the chef thanked the waiter in the garden"
FAMILIES = ["bert", "gpt2", "llama", "gpt_neox"]


@pytest.fixture(params=FAMILIES)
def folder(request, tiny_folders):
    return str(tiny_folders[request.param])


def stream(subject):
    batch = subject.encode([TEXT])
    sites = [f"blocks.{i}.resid_post" for i in range(subject.n_layers)]
    with subject.capture(sites) as trace:
        subject(batch)
    return torch.stack([trace[s][0].float() for s in sites])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("minilm:int8", ("minilm", "int8", None, 0)),
        ("minilm:blocks-4:permuted:2", ("minilm", "blocks-4", "permuted", 2)),
        ("org/name@abc:heads-0.5", ("org/name@abc", "heads-0.5", None, 0)),
        ("minilm:random", ("minilm", None, "random", 0)),
    ],
)
def test_names(name, parts):
    parsed = Name.parse(name)
    assert (parsed.base, parsed.compression, parsed.twin, parsed.seed) == parts


def test_every_compression_can_be_named():
    assert list(COMPRESSIONS) == list(COMPRESSION_NAMES)


def test_what_is_compressed_is_another_subject(folder):
    assert (
        len({subjects.identify(f"{folder}{c}") for c in ("", ":int8", ":blocks-2", ":blocks-1", ":blocks-2:random")})
        == 5
    )


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ("int9", "unknown twin 'int9'; did you mean 'int8'"),
        ("blocks", "write blocks-NUMBER, how many blocks are kept"),
        ("blocks-x", "write blocks-NUMBER"),
        ("blocks-0", "a whole number from 1 to 3"),
        ("blocks-1.5", "a whole number from 1 to 3"),
        ("blocks-nan", "a whole number from 1 to 3"),
        ("heads-1", "from 0 to below 1"),
        ("heads-nan", "from 0 to below 1"),
        ("int8-4", "'int8' takes no number"),
    ],
)
def test_bad_names_are_a_line(tiny_folders, spelled, message):
    with pytest.raises(InputError, match=message):
        subjects.load(f"{tiny_folders['bert']}:{spelled}")


def test_the_first_blocks_compute_what_they_did(folder):
    whole, cut = subjects.load(folder), subjects.load(f"{folder}:blocks-2")
    assert cut.n_layers == 2
    torch.testing.assert_close(stream(cut), stream(whole)[:2])


def test_half_precision_is_close_and_half_the_size(folder):
    whole, half = subjects.load(folder), subjects.load(f"{folder}:bfloat16")
    assert half.dtype == torch.bfloat16
    assert weight_bytes(half.model) * 2 == weight_bytes(whole.model)
    off = (stream(half) - stream(whole)).norm() / stream(whole).norm()
    assert 0 < off < 0.05


def test_int8_is_torchs_and_its_matrices_are_the_rounded_ones(tiny_folders):
    whole, small = (subjects.load(f"{tiny_folders['bert']}{c}") for c in ("", ":int8"))
    off = (stream(small) - stream(whole)).norm() / stream(whole).norm()
    assert 0 < off < 0.1
    path = "encoder.layer.0.intermediate.dense"
    exact, rounded = (Affine.of(m.model.get_submodule(path)) for m in (whole, small))
    step = 2 * exact.weight.abs().max() / 255
    assert 0 < (exact.weight - rounded.weight).abs().max() <= 0.51 * step
    torch.testing.assert_close(exact.bias, rounded.bias)
    # Matrices to a quarter, the rest as it was.
    matrices = sum(p.numel() for n, p in whole.model.encoder.named_parameters() if p.ndim == 2 and "LayerNorm" not in n)
    assert weight_bytes(whole.model) - weight_bytes(small.model) == 3 * matrices


def test_int8_computes_in_single_precision_whatever_the_dtype(tiny_folders):
    small = subjects.load(f"{tiny_folders['bert']}:int8", dtype="bfloat16")
    whole = subjects.load(str(tiny_folders["bert"]))
    assert small.dtype == torch.float32
    assert 0 < (stream(small) - stream(whole)).norm() / stream(whole).norm() < 0.1


def test_int8_needs_linear_layers(tiny_folders):
    with pytest.raises(InputError, match="gpt2 has no linear layers that torch quantises"):
        subjects.load(f"{tiny_folders['gpt2']}:int8")


def test_contributions_of_a_quantised_subject_add_up_to_about_its_output(tiny_folders):
    """Matrices are read as they are; what is rounded on the way in is not, so that the sum is near and not exact."""
    subject = subjects.load(f"{tiny_folders['bert']}:int8")
    table = residual.mixing_table(subject, [TEXT], ["norm"])
    shares = table[table["quantity"] == "own share"]["value"]
    assert shares.between(0, 1).all()


def test_silenced_heads_are_the_weakest_and_have_no_effect(folder):
    whole, pruned = subjects.load(folder), subjects.load(f"{folder}:heads-0.5")
    dead = silent_heads(pruned.model)
    assert [layer for layer, _ in dead] == [1, 1, 2, 2, 3, 3]
    assert silent_heads(whole.model) == []
    batch = whole.encode([TEXT])
    with whole.capture(["blocks.0.attn.weights"]) as before:
        whole(batch)
    with pruned.capture(["blocks.0.attn.weights"]) as after:
        pruned(batch)
    # The maps of the first block are still drawn; what comes after it differs.
    torch.testing.assert_close(after["blocks.0.attn.weights"], before["blocks.0.attn.weights"])
    assert not torch.allclose(stream(whole), stream(pruned), atol=1e-3)
    module = pruned.model.get_submodule(f"{pruned.anatomy.blocks}.0.{pruned.anatomy.projection}")
    matrix = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
    heads = matrix.reshape(4, -1, matrix.shape[1])
    silent = {head - 1 for layer, head in dead if layer == 1}
    assert all((heads[h] == 0).all() == (h in silent) for h in range(4))
    original = whole.model.get_submodule(f"{whole.anatomy.blocks}.0.{whole.anatomy.projection}")
    full = original.weight if type(original).__name__ == "Conv1D" else original.weight.T
    norms = full.reshape(4, -1, full.shape[1]).flatten(1).norm(dim=1)
    assert norms[sorted(silent)].max() < norms[sorted(set(range(4)) - silent)].min()


def test_nothing_silenced_is_nothing_changed(folder):
    torch.testing.assert_close(stream(subjects.load(f"{folder}:heads-0")), stream(subjects.load(folder)))


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    """A small subject with room for sentences that its vocabulary spells letter by letter."""
    return str(folder_of("bert", tmp_path_factory.mktemp("roomy"), positions=100))


def test_the_output_of_the_same_subject_does_not_move(roomy):
    name = roomy
    found = studies.output_change(name, name, "crossed", texts=8)
    np.testing.assert_allclose(found.loc["change"], 0, atol=1e-9)
    np.testing.assert_allclose(found.loc["same neighbour"], 1)


def test_the_output_of_other_weights_is_that_of_another_sentence_or_further(roomy):
    name = roomy
    found = studies.output_change(f"{name}:random:1", name, "crossed", texts=8)
    assert found.loc["change", "value"] > 0.5
    assert found.loc["change", "low"] <= found.loc["change", "value"] <= found.loc["change", "high"]


def test_change_is_the_mean_distance_over_the_typical_one(roomy):
    from interp import corpora

    name = roomy
    small = f"{name}:blocks-1"
    found = studies.output_change(small, name, "crossed", texts=6)

    def pooled(subject, text):
        batch = subject.encode([text])
        with torch.no_grad():
            state = subject.model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state[0].double()
        mean = state[~batch.special[0]].mean(dim=0)
        return (mean / mean.norm()).numpy()

    texts = corpora.load("crossed").sample(6)
    after, before = ([pooled(subjects.load(n), t) for t in texts] for n in (small, name))
    moved = np.mean([1 - a @ b for a, b in zip(after, before, strict=True)])
    typical = np.mean([1 - before[i] @ before[j] for i in range(6) for j in range(6) if i != j])
    assert found.loc["change", "value"] == pytest.approx(moved / typical, rel=1e-6)


def test_cost_counts_bytes_and_times(roomy):
    name = roomy
    found = studies.cost(f"{name}:bfloat16", name, "crossed", texts=4, rounds=2)
    assert found["share of bytes"] == 0.5
    assert found["fastest"] <= found["times"] <= found["slowest"]
    assert found["ms a sentence"] > 0
