"""The Hypencoder over token vectors: q-nets score a document's tokens, and their largest or their sum is its score.

With one q-net a token of the query, which begins as the inner product with that token's vector, it begins as MaxSim.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import BeforeValidator, SerializeAsAny
from torch import nn

from hyperir.core.config import Config
from hyperir.core.docs import Multi, States
from hyperir.core.types import Docs
from hyperir.hypernet import HEADS, Hypernetwork
from hyperir.relevance.qnets import QNETS, QNet
from hyperir.relevance.tokens import TokenFunction, counted_tokens, token_vectors

__all__ = ["HyperMulti"]


class HyperMultiConfig(Config):
    """Configuration of the Hypencoder over token vectors.

    Args:
        qnet: the q-net, a member of `QNETS` by name or configuration.
        head: what writes it, a member of `HEADS`.
        functions: "token" writes a q-net for every token of the query, from that token's state alone, and adds up what
            they find; "query" writes one for the query, from all its states.
        aggregate: what a q-net makes of its scores of a document's tokens.
        linear: add the inner product with the token's vector, or with the pooled query.
    """

    type: Literal["hyper_multi"] = "hyper_multi"
    qnet: Annotated[SerializeAsAny[Config], BeforeValidator(QNETS.parse)] = QNETS.parse("mlp")
    head: Annotated[SerializeAsAny[Config], BeforeValidator(HEADS.parse)] = HEADS.parse("attention")
    functions: Literal["token", "query"] = "token"
    aggregate: Literal["max", "sum"] = "max"
    linear: bool = False


class HyperMulti(nn.Module):
    """Query states -> functions over documents of several vectors, of q-nets written for each query.

    Args:
        config: see :class:`HyperMultiConfig`.
        width: D, the width of the tokens' vectors.
        state_width: H, the width of the query's token states.
    """

    Config = HyperMultiConfig
    kinds: ClassVar[tuple[type[Docs], ...]] = (Multi,)
    qnet: QNet

    def __init__(self, config: HyperMultiConfig, *, width: int, state_width: int) -> None:
        super().__init__()
        self.config = config
        qnet = QNETS.build(config.qnet, width=width)
        self.hypernetwork = Hypernetwork(config.head, qnet.slots(), state_width)
        object.__setattr__(self, "qnet", qnet)  # not a submodule: see `Hyper`

    def forward(self, states: States) -> TokenFunction:
        linear, aggregate = self.config.linear, self.config.aggregate
        if self.config.functions == "query":
            written = self.hypernetwork(states.tokens, states.mask)
            each = self.qnet.function(written, states.pooled if linear else None)
            return TokenFunction(each, torch.arange(len(states) + 1, device=states.mask.device), aggregate)
        tokens = states.tokens[states.mask][:, None]
        written = self.hypernetwork(tokens, torch.ones(len(tokens), 1, dtype=torch.bool, device=tokens.device))
        each = self.qnet.function(written, token_vectors(states) if linear else None)
        return TokenFunction(each, counted_tokens(states), aggregate)
