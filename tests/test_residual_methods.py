"""Each method against its definition written out slowly, and the sums that vectors must keep, for every family."""

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from interp import subjects
from interp.residual import gradient
from interp.residual.forward import ForwardPass
from interp.residual.globenc import encoder_rest, globenc
from interp.residual.norms import norm, sublayer_bias, sublayer_parts
from interp.residual.propagation import token_parts
from interp.residual.tracing import trace_batch
from interp.subjects.anatomy import part
from interp.subjects.attention import add_tap
from tests.tiny import FAMILIES, folder

TEXT = "The chef thanked the waiter."
KINDS = [*FAMILIES, "gpt_neox, sequential"]


@pytest.fixture(scope="module")
def sequential(tmp_path_factory):
    """A GPT-NeoX whose feed-forward part follows the attention instead of running beside it."""
    import json

    path = folder("gpt_neox", tmp_path_factory.mktemp("sequential"))
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "use_parallel_residual": False}))
    return subjects.load(str(path))


@pytest.fixture(params=KINDS)
def subject(request, tiny, sequential):
    return tiny.get(request.param, sequential)


@pytest.fixture
def forward(subject):
    return ForwardPass.of(subject, subject.encode([TEXT]), probes=None)


def measure(subject, method, **options):
    return trace_batch(subject, subject.encode([TEXT]), [method], **options)[method]


def parts_of(view):
    return torch.cat(list(sublayer_parts(view)), dim=1)


def test_the_view_finishes_a_block_as_the_model_does(forward):
    for view in forward.views:
        assert torch.allclose(view.finish(view.after_attention), view.resid_post, atol=1e-5)


def test_a_recorded_call_gives_the_block_again(forward):
    for call, view in zip(forward.calls, forward.views, strict=True):
        assert torch.allclose(call(view.resid_pre), view.resid_post, atol=1e-5)


def test_parts_add_up_to_the_sublayers_output(forward):
    for view in forward.views:
        whole = view.after_attention
        if view.anatomy.post_norm:
            whole = part(view.block, view.anatomy.attention_norm)(whole)
        assert torch.allclose(parts_of(view).sum(dim=1) + sublayer_bias(view), whole, atol=1e-5)


def test_norm_is_the_norm_of_the_parts_and_the_ratio_is_their_sums(forward):
    """The heads' Gram matrices give what the vectors themselves would."""
    for view in forward.views:
        parts, found = parts_of(view)[0], norm(view)
        assert torch.allclose(found.amount[0], parts.norm(dim=-1).T, atol=1e-5)
        own = torch.stack([parts[i, i] for i in range(len(parts))])
        context = (parts.sum(dim=0) - own).norm(dim=-1)
        assert torch.allclose(found.ratio[0], context / (context + own.norm(dim=-1)), atol=1e-5)


def kobayashi(view, *, second=False):
    """Eqs. 5-8 for one position and one source at a time, in BERT's own terms; on through the second LayerNorm."""
    block, x, alpha = view.block, view.resid_pre[0], view.weights[0]
    attention, after, out = block.attention.self, block.attention.output.LayerNorm, block.attention.output.dense
    last = block.output.LayerNorm
    total = x + view.attention_out[0]
    entering = after(total)
    leaving = entering + block.output.dense(block.intermediate(entering))
    vectors = torch.zeros(len(x), len(x), x.shape[1])
    for i in range(len(x)):
        first_std = (total[i] - total[i].mean()).square().mean().add(after.eps).sqrt()
        second_std = (leaving[i] - leaving[i].mean()).square().mean().add(last.eps).sqrt()
        for j in range(len(x)):
            vector = x[i].clone() if i == j else torch.zeros_like(x[i])
            for h in range(len(alpha)):
                rows = slice(h * 8, (h + 1) * 8)
                value = attention.value.weight[rows] @ x[j] + attention.value.bias[rows]
                vector = vector + alpha[h, i, j] * (out.weight[:, rows] @ value)
            vector = (vector - vector.mean()) / first_std * after.weight
            if second:
                vector = (vector - vector.mean()) / second_std * last.weight
            vectors[i, j] = vector
    return vectors


@pytest.mark.parametrize("second", [False, True])
def test_norm_and_globenc_are_their_authors(tiny, second):
    view = ForwardPass.of(tiny["bert"], tiny["bert"].encode([TEXT])).views[1]
    vectors = kobayashi(view, second=second)
    found = (globenc if second else norm)(view)
    assert torch.allclose(found.amount[0], vectors.norm(dim=-1), atol=1e-5)
    for i in range(len(vectors)):
        own, context = vectors[i, i], vectors[i].sum(dim=0) - vectors[i, i]
        assert float(found.ratio[0, i]) == pytest.approx(
            float(context.norm() / (context.norm() + own.norm())), abs=1e-5
        )
    if second:
        assert torch.allclose(vectors.sum(dim=1) + encoder_rest(view)[0], view.resid_post[0], atol=1e-5)


def test_alti_is_its_authors(subject, forward):
    """Ferrando et al., Eqs. 7-8: one position and one source at a time, on the vectors."""
    found = measure(subject, "alti").blocks.share
    for layer, view in enumerate(forward.views):
        parts = parts_of(view)[0]
        whole = view.after_attention[0]
        if view.anatomy.post_norm:
            whole = part(view.block, view.anatomy.attention_norm)(whole)
        length = len(whole)
        slow = torch.zeros(length, length)
        for i in range(length):
            for j in range(length):
                slow[i, j] = max(0.0, float(whole[i].abs().sum() - (whole[i] - parts[j, i]).abs().sum()))
        assert torch.allclose(found[layer, 0], slow / slow.sum(dim=1, keepdim=True), atol=1e-5)


def test_value_zeroing_is_one_edit_at_a_time(subject):
    """The model itself runs once per layer and token with that one value set to zero, bias included."""
    batch = subject.encode([TEXT])
    found = measure(subject, "value-zeroing").blocks.share[:, 0]
    length = batch.ids.shape[1]
    with subject.capture(["blocks.*.resid_post"]) as trace:
        subject(batch)
        true = [x[0].double() for x in trace.stack("*")]
        for layer, block in enumerate(subject.blocks):
            slow = torch.zeros(length, length, dtype=torch.float64)
            for j in range(length):

                def zero(call, j=j):
                    call.values = call.values.clone()
                    call.values[:, :, j] = 0

                remove = add_tap(part(block, subject.anatomy.attention), zero)
                subject(batch)
                remove()
                edited = trace[f"blocks.{layer}.resid_post"][0].double()
                slow[:, j] = 1 - torch.cosine_similarity(edited, true[layer], dim=-1)
            slow = slow / slow.sum(dim=1, keepdim=True)
            assert torch.allclose(found[layer].double(), slow, atol=1e-5)


def jacobian_norms(subject, batch, source, target):
    """||d target_i / d source_j||_F from autograd, one output coordinate (row of the Jacobian) at a time."""
    below = {}

    def leaf(_module, _args, output):
        vectors = output[0] if isinstance(output, tuple) else output
        below["leaf"] = vectors.detach().requires_grad_(True)
        return (below["leaf"], *output[1:]) if isinstance(output, tuple) else below["leaf"]

    embedding = part(subject.model, subject.anatomy.embedding_output)
    module = embedding if source == "embed" else subject.blocks[source]
    handle = module.register_forward_hook(leaf)
    try:
        with torch.enable_grad(), subject.capture([f"blocks.{target}.resid_post"], detach=False) as trace:
            subject(batch, gradients=True)
        out = trace[f"blocks.{target}.resid_post"][0]
    finally:
        handle.remove()
    length, width = out.shape
    squares = torch.zeros(length, length)
    for i in range(length):
        for c in range(width):
            (row,) = torch.autograd.grad(out[i, c], below["leaf"], retain_graph=True)
            squares[i] += row[0].square().sum(dim=-1)
    return squares.sqrt()


def test_exact_gradients_are_autograds_jacobian_row_by_row(subject):
    batch = subject.encode([TEXT])
    trace = measure(subject, "gradient", probes=None)
    last = subject.n_layers - 1
    for found, source in ((trace.cumulated, "embed"), (trace.blocks, last - 1)):
        slow = jacobian_norms(subject, batch, source, last)
        assert torch.allclose(found.share[last, 0], slow / slow.sum(dim=1, keepdim=True), atol=1e-5)
        assert found.error is None


def test_the_probes_error_is_what_is_stated(tiny):
    """Over many draws: no bias in the squares, and the spread of the norms is the mean stated error."""
    subject = tiny["bert"]
    batch = subject.encode([TEXT])
    exact = gradient.cumulated(ForwardPass.of(subject, batch, probes=None), ())[-1].amount[0].double()
    draws = [gradient.cumulated(ForwardPass.of(subject, batch, probes=8, seed=seed), ())[-1] for seed in range(60)]
    amounts = torch.stack([d.amount[0].double() for d in draws])
    stated = torch.stack([d.error[0].double() for d in draws]).square().mean(dim=0).sqrt()
    relative = amounts / exact - 1
    assert abs(float(((amounts / exact) ** 2).mean() - 1)) < 0.02
    assert float(relative.square().mean().sqrt()) == pytest.approx(float(stated.square().mean().sqrt()), rel=0.1)
    # Never more than for a Jacobian of rank one, sqrt(2 / K) of the square, half of it of the norm.
    assert float(stated.max()) < np.sqrt(2 / 8) / 2 * 1.5
    within = (relative.abs() < 2 * stated).double().mean()
    assert 0.92 < float(within) < 0.99


def test_more_probes_state_a_smaller_error_and_one_states_none(tiny):
    subject = tiny["gpt2"]
    few, many = (measure(subject, "gradient", probes=k).blocks.error for k in (16, 64))
    root_mean_square = [float(e.square().mean().sqrt()) for e in (few, many)]
    assert root_mean_square[1] / root_mean_square[0] == pytest.approx(0.5, rel=0.1)
    assert measure(subject, "gradient", probes=1).blocks.error.isnan().any()


def test_propagated_parts_sum_to_the_real_hidden_state(forward):
    sums = [torch.zeros_like(view.resid_post) for view in forward.views]
    length = forward.batch.ids.shape[1]

    def everywhere(parts):
        return pad(parts, (0, 0, length - parts.shape[2], 0))

    for _, layers in token_parts(forward):
        sums = [s + everywhere(part_).sum(dim=1) for s, part_ in zip(sums, layers, strict=True)]
    for found, view in zip(sums, forward.views, strict=True):
        assert torch.allclose(found, view.resid_post, atol=2e-5, rtol=1e-5)
    for i, view in enumerate(forward.views):
        whole = sum(everywhere(layers[0]).sum(dim=1) for _, layers in token_parts(forward, first=i, last=i + 1))
        assert torch.allclose(whole, view.resid_post, atol=1e-5, rtol=1e-5)


def test_propagated_vectors_are_the_derivative_of_the_frozen_model(tiny):
    """With attention, divisors and gains held, autograd through BERT's own modules gives each source's vector."""
    subject = tiny["bert"]
    forward = ForwardPass.of(subject, subject.encode([TEXT]))
    view = forward.views[0]
    block, x = view.block, view.resid_pre

    def held(norm_module, value, true):
        centred = value - value.mean(dim=-1, keepdim=True)
        std = (true.var(dim=-1, keepdim=True, correction=0) + norm_module.eps).sqrt()
        return centred / std * norm_module.weight + norm_module.bias

    stream = view.after_attention
    entering = block.attention.output.LayerNorm(stream)
    raised = block.intermediate.dense(entering)
    gain = block.intermediate(entering) / raised
    before = entering + view.feedforward_out

    def frozen(vectors):
        values = block.attention.self.value(vectors).unflatten(-1, (4, 8)).transpose(1, 2)
        mixed = (view.weights @ values).transpose(1, 2).flatten(2)
        after = held(block.attention.output.LayerNorm, vectors + block.attention.output.dense(mixed), stream)
        inner = gain * block.intermediate.dense(after)
        return held(block.output.LayerNorm, after + block.output.dense(inner), before)

    assert torch.allclose(frozen(x), view.resid_post, atol=1e-5)
    for sources, (parts,) in token_parts(forward, last=1):
        if sources is None:
            assert torch.allclose(parts[:, 0], frozen(torch.zeros_like(x)), atol=1e-5)
            continue
        for n, j in enumerate(sources):
            only = torch.zeros_like(x)
            only[:, j] = x[:, j]
            _, vector = torch.func.jvp(frozen, (x,), (only,))
            assert torch.allclose(parts[:, n], vector, atol=1e-5)


def test_propagated_ratio_is_that_of_its_vectors(subject, forward):
    found = measure(subject, "propagated").cumulated
    parts = torch.cat([layers[-1] for sources, layers in token_parts(forward) if sources is not None], dim=1)[0]
    own = torch.stack([parts[i, i] for i in range(len(parts))])
    context = (parts.sum(dim=0) - own).norm(dim=-1)
    assert torch.allclose(found.ratio[-1, 0], context / (context + own.norm(dim=-1)), atol=1e-4)
    norms = parts.norm(dim=-1).T
    assert torch.allclose(found.share[-1, 0], norms / norms.sum(dim=1, keepdim=True), atol=1e-5)
    assert ((found.bias > 0) & (found.bias < 1)).all() == (subject.model.config.model_type != "llama")
