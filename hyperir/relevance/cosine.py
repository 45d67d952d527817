"""Cosine: the inner product of unit vectors, whatever the lengths of those stored."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.relevance.vectors import FromPooled, VectorFunction, inner

__all__ = ["Cosine", "CosineSimilarity"]


class CosineSimilarity(VectorFunction):
    """f(d) = <q, d> / (|q| |d|); 0 for a zero vector."""

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        return inner(F.normalize(self.queries, dim=-1), F.normalize(self._vectors(docs), dim=-1))

    def gradient(self, docs: Dense) -> Tensor:
        """(Q, N or K, D): (q/|q| - f(d) d/|d|) / |d|."""
        queries, vectors = self._beside(docs)
        length = vectors.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        unit = vectors / length
        towards = F.normalize(queries, dim=-1)
        gradient: Tensor = (towards - (towards * unit).sum(-1, keepdim=True) * unit) / length
        return gradient


class CosineConfig(Config):
    """The cosine has no options."""

    type: Literal["cosine"] = "cosine"


class Cosine(FromPooled):
    """The query's pooled vector, applied by cosine."""

    Config = CosineConfig
    function = CosineSimilarity
