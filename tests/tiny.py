"""Small random models of every family, made from configs: no download, seconds to run."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    BertConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

TEXT = (
    "the chef thanked waiter dog cat chased a river is longer than canal apple orange red round fruit animal bird "
    "robin wings sings and of in on kitchen yesterday paper boat bought sold house garden with was by old new"
)
WORDS = TEXT.split()
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
VOCABULARY = {t: i for i, t in enumerate([*SPECIAL, *WORDS, ".", ",", *LETTERS[1:], *(f"##{c}" for c in LETTERS)])}

CONFIGS: dict[str, PretrainedConfig] = {
    "bert": BertConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40,
        vocab_size=len(VOCABULARY), pad_token_id=0, layer_norm_eps=1e-12, initializer_range=0.3,
    ),
    "gpt2": GPT2Config(
        n_embd=32, n_layer=3, n_head=4, n_positions=40, vocab_size=len(VOCABULARY), initializer_range=0.3,
        bos_token_id=2, eos_token_id=3,
    ),
    "gpt_neox": GPTNeoXConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40,
        vocab_size=len(VOCABULARY), initializer_range=0.3, bos_token_id=2, eos_token_id=3,
    ),
    "llama": LlamaConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
        max_position_embeddings=40, vocab_size=len(VOCABULARY), initializer_range=0.3, bos_token_id=2, eos_token_id=3,
        pad_token_id=0,
    ),
}  # fmt: skip
"""One small config per family; grouped-query attention in llama's. Large weights, so that attention is uneven."""

FAMILIES = list(CONFIGS)


def tokenizer(*, special: bool) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer; with [CLS] and [SEP] around a text for encoders, without for decoders."""
    inner = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special:
        inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


def folder(family: str, path: Path, seed: int = 0, positions: int = 40) -> Path:
    """Write a small model of `family` into `path` as a folder that `subjects.load` takes."""
    config = copy.deepcopy(CONFIGS[family])
    config.max_position_embeddings = positions
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(config)
        for name, parameter in model.named_parameters():
            # Fresh biases are zero and norms are one; trained ones are not, and methods must cope with both.
            if "bias" in name or "norm" in name.lower() or "ln_" in name:
                parameter.data.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(path)
    tokenizer(special=family == "bert").save_pretrained(path)
    return path
