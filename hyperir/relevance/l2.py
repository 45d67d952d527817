"""Negative squared Euclidean distance: nearer is better."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.relevance.vectors import FromPooled, VectorFunction, inner

__all__ = ["L2", "NegativeDistance"]


class NegativeDistance(VectorFunction):
    """f(d) = -|q - d|^2, computed as 2<q, d> - |d|^2 - |q|^2 so that no (Q, N, D) difference is ever made."""

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        vectors = self._vectors(docs)
        square = vectors.square().sum(-1)
        return 2 * inner(self.queries, vectors) - square - self.queries.square().sum(-1, keepdim=True)

    def gradient(self, docs: Dense) -> Tensor:
        """(Q, N or K, D): 2 (q - d)."""
        queries, vectors = self._beside(docs)
        return 2 * (queries - vectors)


class L2Config(Config):
    """The distance has no options."""

    type: Literal["l2"] = "l2"


class L2(FromPooled):
    """The query's pooled vector, applied by negative squared distance."""

    Config = L2Config
    function = NegativeDistance
