"""The Hypencoder: a hypernetwork reads the query and writes the weights of the q-net that scores documents.

Killingback, Zeng and Zamani, SIGIR 2025. `linear` adds the inner product with the query's pooled vector beside the
network, f(d) = <q, d> + g_q(d); the paper's form has none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, SerializeAsAny
from torch import nn

from hyperir.core.config import Config
from hyperir.core.docs import Dense, States
from hyperir.core.types import Relevance
from hyperir.hypernet import HEADS, Hypernetwork
from hyperir.relevance.base import base_head, based
from hyperir.relevance.qnets import QNETS, QNet

__all__ = ["Hyper"]


class HyperConfig(Config):
    """Configuration of the Hypencoder.

    Args:
        qnet: the q-net, a member of `QNETS` by name or configuration.
        head: what writes it, a member of `HEADS`.
        linear: add the inner product with the pooled query; "written" with the pooled query plus a vector that the
            head writes, zero at the start, so that a head alone can move it too.
    """

    type: Literal["hyper"] = "hyper"
    qnet: Annotated[SerializeAsAny[Config], BeforeValidator(QNETS.parse)] = QNETS.parse("mlp")
    head: Annotated[SerializeAsAny[Config], BeforeValidator(HEADS.parse)] = HEADS.parse("attention")
    linear: bool | Literal["written"] = False


class Hyper(nn.Module):
    """Query states -> the function of a q-net written for each query.

    Args:
        config: see :class:`HyperConfig`.
        width: D, the width of the documents' vectors.
        state_width: H, the width of the query's token states.
    """

    Config = HyperConfig
    qnet: QNet

    def __init__(self, config: HyperConfig, *, width: int, state_width: int) -> None:
        super().__init__()
        self.linear = config.linear
        qnet = QNETS.build(config.qnet, width=width)
        self.hypernetwork = Hypernetwork(config.head, qnet.slots(), state_width)
        # A head of its own, because it wants a higher learning rate than what writes a network.
        self.linear_head = base_head(config.head, width, state_width) if self.linear == "written" else None
        # Not registered as a submodule: its own parameters were the start of the base, which the hypernetwork owns.
        object.__setattr__(self, "qnet", qnet)

    def forward(self, states: States) -> Relevance[Dense]:
        parameters = self.hypernetwork(states.tokens, states.mask)
        return self.qnet.function(parameters, based(states, self.linear_head) if self.linear else None)
