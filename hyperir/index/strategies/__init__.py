"""Strategies: ways to find the best rows under any relevance function. One file each.

A member is made from (config, docs=): the representations to search, which may be memory-mapped and larger than memory.
"""

from __future__ import annotations

from typing import Any

from hyperir.core.registry import Table
from hyperir.core.types import Strategy

__all__ = ["STRATEGIES"]

STRATEGIES: Table[Strategy[Any]] = Table(
    "strategies",
    {
        "bipartite": "hyperir.index.strategies.bipartite:Bipartite",
        "exact": "hyperir.index.strategies.exact:Exact",
        "firstorder": "hyperir.index.strategies.firstorder:FirstOrder",
        "graph": "hyperir.index.strategies.graph:Graph",
        "ivf": "hyperir.index.strategies.ivf:IVF",
    },
)
