"""Relevance functions: a query's states become f_q, which scores document representations. One file each.

A member is a `torch.nn.Module` made from (config, width=D, state_width=H) that maps :class:`hyperir.core.docs.States`
of Q queries to a :class:`hyperir.core.types.Relevance`.
"""

from torch import nn

from hyperir.core.registry import Table

__all__ = ["RELEVANCE"]

RELEVANCE: Table[nn.Module] = Table(
    "relevance",
    {
        "dot": "hyperir.relevance.dot:Dot",
        "cosine": "hyperir.relevance.cosine:Cosine",
        "l2": "hyperir.relevance.l2:L2",
        "hyper": "hyperir.relevance.hyper:Hyper",
    },
)
