"""What dot, cosine and l2 share: the query is one vector, its pooled states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.core.docs import Dense, States

__all__ = ["FromPooled", "VectorFunction", "inner"]


def inner(queries: Tensor, docs: Tensor) -> Tensor:
    """Inner products of (Q, D) with (N, D) -> (Q, N), or with own candidates (Q, K, D) -> (Q, K)."""
    if docs.dim() == 3:
        return torch.einsum("qd,qkd->qk", queries, docs)
    return queries @ docs.T


@dataclass(frozen=True)
class VectorFunction:
    """Base of functions that hold one vector a query, (Q, D)."""

    queries: Tensor

    @property
    def num_queries(self) -> int:
        return self.queries.shape[0]

    def __getitem__(self, queries: slice) -> Self:
        return type(self)(self.queries[queries])

    def _vectors(self, docs: Dense) -> Tensor:
        """The documents' vectors in the queries' type."""
        return docs.vectors.to(self.queries.dtype)

    def _beside(self, docs: Dense) -> tuple[Tensor, Tensor]:
        """Queries (Q, 1, D) and documents (1, N, D) or (Q, K, D): shapes that broadcast to (Q, N or K, D)."""
        vectors = self._vectors(docs)
        return self.queries[:, None], vectors if vectors.dim() == 3 else vectors[None]


class FromPooled(nn.Module):
    """Base of relevance members without parameters: the query's pooled vector, applied by `function`."""

    function: ClassVar[type[VectorFunction]]

    def __init__(self, config: Config, *, width: int, state_width: int) -> None:
        super().__init__()

    def forward(self, states: States) -> VectorFunction:
        return self.function(states.pooled)
