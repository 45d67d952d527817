"""What regularisers read of a step, and what their configurations share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import Field
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.types import Relevance

__all__ = ["Encoded", "RegulariserConfig", "Sides", "sides_of", "weight_at"]

Sides: TypeAlias = Literal["query", "document", "both"]


@dataclass(frozen=True)
class Encoded:
    """A batch as the model encoded it, with gradients.

    Args:
        f: the relevance functions of Q queries.
        docs: the queries' own candidates, (Q, K).
        queries: the queries' pooled vectors, (Q, D); None where the model makes none.
        written: what a hypernetwork wrote, name -> (Q, *shape); empty where there is none.
    """

    f: Relevance[Any]
    docs: Dense
    queries: Tensor | None = None
    written: Mapping[str, Tensor] = field(default_factory=dict)


class RegulariserConfig(Config):
    """What all regularisers have.

    Args:
        weight: what the term is multiplied by.
        warmup_steps: the weight grows with the square of the step until then, as SPLADE's does.
    """

    weight: float = Field(ge=0)
    warmup_steps: int = Field(0, ge=0)


def weight_at(config: RegulariserConfig, step: int) -> float:
    """weight * min(1, step / warmup_steps)^2."""
    grown = 1.0 if config.warmup_steps == 0 else min(1.0, step / config.warmup_steps)
    return config.weight * grown**2


def sides_of(encoded: Encoded, sides: Sides) -> list[Tensor]:
    """The vectors that a term is computed of, each (N, D): the queries', the documents', or both.

    Raises:
        InputError: the queries are asked for, and the model makes no vector of them.
    """
    chosen = []
    if sides != "document":
        if encoded.queries is None:
            raise InputError("the model makes no vectors of queries", fix='regularise the side "document"')
        chosen.append(encoded.queries)
    if sides != "query":
        chosen.append(encoded.docs.vectors.flatten(0, -2))
    return chosen
