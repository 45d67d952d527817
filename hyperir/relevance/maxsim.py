"""MaxSim, the late interaction of ColBERT: every token of the query finds its most similar token of the document.

Khattab and Zaharia, SIGIR 2020.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import nn

from hyperir.core.config import Config
from hyperir.core.docs import Multi, States
from hyperir.core.types import Docs
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.tokens import TokenFunction, counted_tokens, token_vectors

__all__ = ["MaxSim"]


class MaxSimConfig(Config):
    """MaxSim has no options: whether vectors are of length 1, so that it adds up cosines, is the encoder's."""

    type: Literal["maxsim"] = "maxsim"


class MaxSim(nn.Module):
    """f(d) = sum over the query's tokens i of max over the document's tokens j of <q_i, d_j>.

    Args:
        config: see :class:`MaxSimConfig`.
        width: D, of the tokens' vectors.
        state_width: not used.
    """

    Config = MaxSimConfig
    kinds: ClassVar[tuple[type[Docs], ...]] = (Multi,)

    def __init__(self, config: MaxSimConfig, *, width: int, state_width: int) -> None:
        super().__init__()

    def forward(self, states: States) -> TokenFunction:
        return TokenFunction(InnerProduct(token_vectors(states)), counted_tokens(states))
