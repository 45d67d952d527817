"""Inner product: the relevance function of every vector database."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.relevance.vectors import FromPooled, VectorFunction, inner

__all__ = ["Dot", "InnerProduct"]


class InnerProduct(VectorFunction):
    """f(d) = <q, d>."""

    @property
    def weights(self) -> Tensor:
        """(Q, D): the capability `Linear`."""
        return self.queries

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        return inner(self.queries, self._vectors(docs))

    def gradient(self, docs: Dense) -> Tensor:
        """(Q, N or K, D): q itself, everywhere."""
        queries, vectors = self._beside(docs)
        return queries.expand(-1, vectors.shape[1], -1)


class DotConfig(Config):
    """The inner product has no options."""

    type: Literal["dot"] = "dot"


class Dot(FromPooled):
    """The query's pooled vector, applied by inner product."""

    Config = DotConfig
    function = InnerProduct
