"""Where the parts of a transformer lie in each family's module tree.

Everything else in the package works on these names, so supporting another family is one entry here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from interp.errors import InputError


@dataclass(frozen=True)
class Anatomy:
    """Module paths of one family (those in a block are relative to it)."""

    embedding: str
    """The token-embedding table."""
    embedding_output: str
    """The module whose output enters the first block (BERT: with position, segment and LayerNorm)."""
    blocks: str
    attention: str
    """The module that calls the attention function."""
    projection: str
    """The output projection W_O of the attention."""
    attention_norm: str
    feedforward: str
    """The module whose output the feed-forward part adds to the residual stream."""
    feedforward_norm: str
    values: str
    """The module that makes the values; `fused_values` says where they lie in its output."""
    up: str
    """First matrix of the feed-forward part (of a gated one: the one that is multiplied by the gate)."""
    activation: str
    down: str
    """Second matrix of the feed-forward part."""
    post_norm: bool
    """Norms follow the additions (BERT) rather than precede the sublayers (GPT)."""
    causal: bool
    positions: str | None = None
    """The table of position embeddings, where there is one."""
    final_norm: str | None = None
    gate: str | None = None
    """The matrix whose activation multiplies `up`, in gated feed-forward parts."""
    fused_values: Literal["", "thirds", "heads"] = ""
    """Where one module makes queries, keys and values: in thirds of its output, or in thirds of each head's."""
    parallel: str | None = None
    """Attribute of a block that says whether attention and feed-forward part read the same input."""


_BERT = Anatomy(
    embedding="embeddings.word_embeddings",
    embedding_output="embeddings",
    blocks="encoder.layer",
    attention="attention.self",
    projection="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    feedforward="output.dense",
    feedforward_norm="output.LayerNorm",
    values="attention.self.value",
    up="intermediate.dense",
    activation="intermediate.intermediate_act_fn",
    down="output.dense",
    post_norm=True,
    causal=False,
    positions="embeddings.position_embeddings",
)
_LLAMA = Anatomy(
    embedding="embed_tokens",
    embedding_output="embed_tokens",
    blocks="layers",
    attention="self_attn",
    projection="self_attn.o_proj",
    attention_norm="input_layernorm",
    feedforward="mlp",
    feedforward_norm="post_attention_layernorm",
    values="self_attn.v_proj",
    up="mlp.up_proj",
    activation="mlp.act_fn",
    down="mlp.down_proj",
    post_norm=False,
    causal=True,
    final_norm="norm",
    gate="mlp.gate_proj",
)

FAMILIES: dict[str, Anatomy] = {
    "bert": _BERT,
    "roberta": _BERT,
    "gpt2": Anatomy(
        embedding="wte",
        embedding_output="drop",
        blocks="h",
        attention="attn",
        projection="attn.c_proj",
        attention_norm="ln_1",
        feedforward="mlp",
        feedforward_norm="ln_2",
        values="attn.c_attn",
        up="mlp.c_fc",
        activation="mlp.act",
        down="mlp.c_proj",
        post_norm=False,
        causal=True,
        positions="wpe",
        final_norm="ln_f",
        fused_values="thirds",
    ),
    "gpt_neox": Anatomy(
        embedding="embed_in",
        embedding_output="emb_dropout",
        blocks="layers",
        attention="attention",
        projection="attention.dense",
        attention_norm="input_layernorm",
        feedforward="mlp",
        feedforward_norm="post_attention_layernorm",
        values="attention.query_key_value",
        up="mlp.dense_h_to_4h",
        activation="mlp.act",
        down="mlp.dense_4h_to_h",
        post_norm=False,
        causal=True,
        final_norm="final_layer_norm",
        fused_values="heads",
        parallel="use_parallel_residual",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "interp_positions": replace(_LLAMA, embedding_output="entrance"),
}
"""By `config.model_type`."""


def anatomy_of(model_type: str) -> Anatomy:
    """The anatomy of a family.

    Raises
    ------
    InputError
        For a family nobody has described yet, with those that are.
    """
    try:
        return FAMILIES[model_type]
    except KeyError:
        raise InputError(
            f"models of type {model_type!r} are not supported; supported: {', '.join(FAMILIES)} (add an entry to "
            "interp/subjects/anatomy.py)"
        ) from None


def part(module: nn.Module, path: str) -> nn.Module:
    """The submodule at `path`."""
    return module.get_submodule(path)
