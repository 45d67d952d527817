"""Relevance functions: a query's states become f_q, which scores document representations. One file each.

A member is a `torch.nn.Module` made from (config, width=D, state_width=H) that maps :class:`hyperir.core.docs.States`
of Q queries to a :class:`hyperir.core.types.Relevance`. It says in `kinds` which kinds of documents its functions
score, where that is not `Dense` alone.
"""

from torch import nn

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.registry import Table
from hyperir.core.types import Docs

__all__ = ["RELEVANCE", "kinds_of"]

RELEVANCE: Table[nn.Module] = Table(
    "relevance",
    {
        "dot": "hyperir.relevance.dot:Dot",
        "cosine": "hyperir.relevance.cosine:Cosine",
        "l2": "hyperir.relevance.l2:L2",
        "hyper": "hyperir.relevance.hyper:Hyper",
        "hyper_words": "hyperir.relevance.hyper_words:HyperWords",
        "maxsim": "hyperir.relevance.maxsim:MaxSim",
        "hyper_multi": "hyperir.relevance.hyper_multi:HyperMulti",
    },
)


def kinds_of(config: Config) -> tuple[type[Docs], ...]:
    """The kinds of documents that the functions of a member score."""
    member = RELEVANCE[str(config.model_dump(include={"type"})["type"])]
    kinds: tuple[type[Docs], ...] = vars(member).get("kinds", (Dense,))
    return kinds
