"""One small decoder under four position schemes: rotary, ALiBi, learned absolute positions, none.

The four differ in nothing else. All are Llama's blocks (Touvron et al. 2023); a rotation by position zero is the
identity, so giving every token position zero takes the rotary scheme out, and what another scheme adds comes in from
outside: a bias on the attention scores, or a vector on the token embeddings. So every capture, intervention and
contribution method that knows Llama's blocks knows these.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, LlamaConfig, LlamaModel

from interp.errors import InputError
from interp.registry import unknown

SCHEMES: dict[str, str] = {
    "rotary": "queries and keys are turned by an angle that grows with their position (Su et al. 2021)",
    "alibi": "attention scores fall linearly with the distance, each head at its own slope (Press et al. 2022)",
    "absolute": "a learned vector of the position is added to the token's (Radford et al. 2019, among many)",
    "none": "nothing but the causal mask says where a token stands (Haviv et al. 2022)",
}
"""The position schemes: what tells a model where a token stands."""

MODEL_TYPE = "interp_positions"


class PositionConfig(LlamaConfig):
    """Llama's configuration and the name of a position scheme."""

    model_type = MODEL_TYPE
    position_scheme: str = "rotary"


class PositionDecoder(LlamaModel):
    """Llama's decoder with its position scheme chosen by ``config.position_scheme``.

    Raises
    ------
    InputError
        For a scheme that is none of `SCHEMES`.
    """

    config_class = PositionConfig

    def __init__(self, config: PositionConfig) -> None:
        if config.position_scheme not in SCHEMES:
            raise InputError(unknown("position scheme", config.position_scheme, list(SCHEMES)))
        super().__init__(config)
        self.entrance = nn.Identity()
        """What leaves it enters the first block: tokens, and position vectors where there are any."""
        if config.position_scheme == "absolute":
            self.embed_positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.post_init()

    @property
    def scheme(self) -> str:
        """How it knows where a token stands."""
        return str(self.config.position_scheme)

    def forward(
        self,
        input_ids: Int[Tensor, "text position"] | None = None,
        attention_mask: Int[Tensor, "text position"] | None = None,
        position_ids: Int[Tensor, "text position"] | None = None,
        inputs_embeds: Float[Tensor, "text position width"] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Hidden states of texts; `position_ids` (by default 0, 1, 2, ...) mean the same under every scheme."""
        stream = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if position_ids is None:
            position_ids = torch.arange(stream.shape[1], device=stream.device)[None]
        if self.scheme == "absolute":
            stream = stream + self.embed_positions(position_ids)
        stream = self.entrance(stream)
        # Made here and not by transformers, which takes position ids that do not grow for texts packed into one.
        mask = causal_mask(stream, attention_mask)
        if self.scheme == "alibi":
            mask = mask + alibi_bias(position_ids, self.config.num_attention_heads).to(mask)
        angles = position_ids if self.scheme == "rotary" else torch.zeros_like(position_ids)
        kwargs.pop("use_cache", None)
        return super().forward(
            inputs_embeds=stream, attention_mask=mask, position_ids=angles, use_cache=False, **kwargs
        )


def causal_mask(
    stream: Float[Tensor, "text position width"], padding: Int[Tensor, "text position"] | None
) -> Float[Tensor, "text 1 query key"]:
    """What is added to the scores: 0 where a query may look, the smallest number elsewhere (later keys, padding)."""
    length = stream.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=stream.device).tril()[None, None]
    if padding is not None:
        # A query always sees itself, so that rows of padding are defined; nothing reads them.
        own = torch.eye(length, dtype=torch.bool, device=stream.device)
        seen = seen & (padding[:, None, None, :].bool() | own)
    lowest = torch.finfo(stream.dtype).min / 2  # half of it: a bias may be added without overflow
    return torch.zeros(seen.shape, dtype=stream.dtype, device=stream.device).masked_fill(~seen, lowest)


def alibi_slopes(heads: int) -> Float[Tensor, "head"]:
    """The slopes of Press et al. 2022: a geometric series from 2^(-8/n), with that ratio (n heads).

    The paper gives it for powers of two; other numbers of heads use the same formula here, where the authors' code
    interleaves two series.
    """
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1, dtype=torch.float32) / heads)


def alibi_bias(positions: Int[Tensor, "text position"], heads: int) -> Float[Tensor, "text head query key"]:
    """Minus slope times distance, for every pair of places; distances are absolute, so that positions may be moved."""
    distance = (positions[:, :, None] - positions[:, None, :]).abs().float()
    return -alibi_slopes(heads).to(distance.device)[None, :, None, None] * distance[:, None]


AutoConfig.register(MODEL_TYPE, PositionConfig)
AutoModel.register(PositionConfig, PositionDecoder)
