"""Functions over sparse documents: the inner product of weighted terms, its cosine, and the squared distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from hyperir.core.docs import Sparse
from hyperir.core.terms import compact

__all__ = ["SparseDistance", "SparseInner", "as_stored", "normalized", "products"]

CELLS = 1 << 24  # products held at once, over all queries: 64 MB


@dataclass(frozen=True)
class AsStored:
    """The weighing of documents whose weights are final, as learned ones are."""

    def __call__(self, docs: Sparse) -> Sparse:
        return docs

    def listed(self, weights: Tensor, sums: Tensor) -> Tensor:
        return weights


as_stored = AsStored()


def normalized(docs: Sparse) -> Sparse:
    """Weights divided by the Euclidean length of their document; a document of length 0 stays."""
    lengths = docs.weighted(docs.weights.square()).sums().sqrt()
    return docs.weighted(docs.weights / torch.where(lengths == 0, 1.0, lengths)[docs.owners])


def products(queries: Sparse, docs: Sparse) -> Tensor:
    """Inner products of (Q,) queries with (N,) documents -> (Q, N), or with own candidates (Q, K) -> (Q, K)."""
    words, columns = compact(queries.terms)
    count = queries.shape[0]
    if not len(words):
        return torch.zeros(docs.shape if len(docs.shape) == 2 else (count, docs.shape[0]))
    table = torch.zeros(count, len(words)).index_put((queries.owners, columns.long()), queries.weights.float())
    at = torch.searchsorted(words, docs.terms).clamp_max(len(words) - 1)
    kept = (words[at] == docs.terms).nonzero().flatten()
    at, owners, weights = at[kept], docs.owners[kept], docs.weights[kept].float()
    if len(docs.shape) == 2:
        k = docs.shape[1]
        flat = torch.zeros(count * k).index_add(0, owners, table[owners.div(k, rounding_mode="floor"), at] * weights)
        return flat.reshape(count, k)
    step = max(CELLS // max(len(kept), 1), 1)
    parts = [
        torch.zeros(len(part), docs.shape[0]).scatter_add(1, owners.expand(len(part), -1), part[:, at] * weights)
        for part in torch.split(table, step)
    ]
    return torch.cat(parts)


@dataclass(frozen=True)
class SparseInner:
    """f(d) = <q, weighing(d)> + shift.

    Args:
        queries: (Q,), the weights of their terms.
        weighing: documents as stored -> their weights; it looks at each document alone.
        shift: (Q,), what a document without a term of the query scores.
    """

    queries: Sparse
    weighing: Callable[[Sparse], Sparse]
    shift: Tensor

    @property
    def num_queries(self) -> int:
        return self.queries.shape[0]

    def __getitem__(self, queries: slice) -> Self:
        return type(self)(self.queries[queries], self.weighing, self.shift[queries])

    def offset(self, weighed: Sparse) -> None:
        """Nothing that depends on the document alone."""

    def __call__(self, docs: Sparse) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        return products(self.queries, self.weighing(docs)) + self.shift[:, None]


@dataclass(frozen=True)
class SparseDistance:
    """f(d) = -|q - weighing(d)|^2, as 2<q, d> - |q|^2 - |d|^2.

    Args:
        points: (Q,), the queries.
        weighing: as for `SparseInner`.
    """

    points: Sparse
    weighing: Callable[[Sparse], Sparse]

    @property
    def num_queries(self) -> int:
        return self.points.shape[0]

    @property
    def queries(self) -> Sparse:
        """2q: the part that is linear in the document."""
        return self.points.weighted(2 * self.points.weights)

    @property
    def shift(self) -> Tensor:
        """(Q,): -|q|^2."""
        return -self.points.weighted(self.points.weights.square()).sums()

    def offset(self, weighed: Sparse) -> Tensor:
        """(*shape,): -|d|^2."""
        return -weighed.weighted(weighed.weights.square()).sums().reshape(weighed.shape)

    def __getitem__(self, queries: slice) -> Self:
        return type(self)(self.points[queries], self.weighing)

    def __call__(self, docs: Sparse) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        weighed = self.weighing(docs)
        return products(self.queries, weighed) + self.shift[:, None] + self.offset(weighed)
