"""Strategies: ways to find the best rows under any relevance function. One file each.

A member is made from (config, docs=): the representations to search, which may be memory-mapped and larger than memory.
One that first builds something of them is `Buildable`, and takes it again as `built=`.
It says in `kinds` which kinds of documents it serves, where that is not `Dense` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from hyperir.core.docs import Dense, Multi, Sparse
from hyperir.core.errors import CapabilityError
from hyperir.core.registry import Table
from hyperir.core.types import Strategy

if TYPE_CHECKING:
    from torch import Tensor

    from hyperir.core.config import Config
    from hyperir.core.types import Docs

__all__ = ["STRATEGIES", "Buildable", "check_serves"]

KINDS = {"dense": "one vector each", "multi": "several vectors each", "sparse": "weights of terms"}


@runtime_checkable
class Buildable(Protocol):
    """Capability of a member: what it builds can be kept on disk.

    A `build` that takes the relevance functions of training queries as well has a third parameter, `functions`.
    """

    @staticmethod
    def build(config: Config, docs: Docs) -> dict[str, Tensor]:
        """What is built of (S,) documents, which are named by their places among them."""
        ...

    @staticmethod
    def check(built: Mapping[str, Tensor], documents: int, width: int) -> None:
        """Raise ValueError or KeyError unless this can have been built of so many documents of this width."""
        ...


STRATEGIES: Table[Strategy[Any]] = Table(
    "strategies",
    {
        "bipartite": "hyperir.index.strategies.bipartite:Bipartite",
        "exact": "hyperir.index.strategies.exact:Exact",
        "firstorder": "hyperir.index.strategies.firstorder:FirstOrder",
        "graph": "hyperir.index.strategies.graph:Graph",
        "inverted": "hyperir.index.strategies.inverted:Inverted",
        "ivf": "hyperir.index.strategies.ivf:IVF",
        "plaid": "hyperir.index.strategies.plaid:Plaid",
    },
)


def check_serves(config: Config, kind: str) -> None:
    """Raise CapabilityError unless a strategy searches documents of a kind: "dense", "multi" or "sparse"."""
    name = str(config.model_dump(include={"type"})["type"])
    wanted: type[Docs] = {"dense": Dense, "multi": Multi, "sparse": Sparse}[kind]
    if wanted not in _kinds(name):
        can = ", ".join(repr(each) for each in STRATEGIES if wanted in _kinds(each))
        raise CapabilityError(
            f"the strategy {name!r} does not search documents with {KINDS[kind]}", expected=f"one of {can}", got=name
        )


def _kinds(name: str) -> tuple[type[Docs], ...]:
    kinds: tuple[type[Docs], ...] = vars(STRATEGIES[name]).get("kinds", (Dense,))
    return kinds
