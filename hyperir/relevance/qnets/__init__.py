"""q-nets: the shapes of function that a hypernetwork can write for a query. One file each.

A member is a `torch.nn.Module` made from (config, width=D): the network of one query, (N, D) -> (N,), whose own
parameters say how the written ones start. `slots()` names what is to be written; `function(parameters, base)` makes the
:class:`hyperir.core.types.Relevance` of Q queries, `base` being the optional linear part, (Q, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from hyperir.core.registry import Table

if TYPE_CHECKING:
    from torch import Tensor

    from hyperir.core.docs import Dense
    from hyperir.core.types import Relevance
    from hyperir.hypernet.target import Slot

__all__ = ["QNETS", "QNet"]


class QNet(Protocol):
    """What every q-net offers."""

    def slots(self) -> dict[str, Slot]: ...
    def __call__(self, x: Tensor) -> Tensor: ...  # (N, D) -> (N,), for one query: the definition
    def function(self, parameters: Mapping[str, Tensor], base: Tensor | None) -> Relevance[Dense]: ...


QNETS: Table[QNet] = Table(
    "qnets",
    {
        "mlp": "hyperir.relevance.qnets.mlp:MLP",
        "shared": "hyperir.relevance.qnets.shared:SharedNet",
        "linear": "hyperir.relevance.qnets.linear:LinearNet",
    },
)
