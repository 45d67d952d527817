"""Functions over documents of several vectors: functions of one vector each, put together by their largest or sum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from hyperir.core.docs import Dense, Multi, States
from hyperir.core.errors import InputError
from hyperir.core.ragged import maxima, offsets_of, sums
from hyperir.core.types import Relevance

__all__ = ["TokenFunction", "counted_tokens", "token_vectors"]

# Scores of single vectors held at once: 4 MB, which stay in a cache. Smaller blocks cost calls, larger ones memory.
CELLS = 1 << 20


@dataclass(frozen=True)
class TokenFunction:
    """f(d) = sum over the functions g of a query of the largest, or of the sum, of g(x) over the vectors x of d.

    With inner products with the vectors of the query's tokens and the largest it is the MaxSim of ColBERT.

    Args:
        each: functions of single vectors, those of one query side by side.
        bounds: (Q + 1,) int64 from 0: query q has the functions bounds[q]:bounds[q + 1].
        aggregate: "max" or "sum", over the vectors of a document.
    """

    each: Relevance[Dense]
    bounds: Tensor
    aggregate: Literal["max", "sum"] = "max"

    @property
    def num_queries(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, queries: slice) -> TokenFunction:
        start, stop, _ = queries.indices(self.num_queries)
        bounds = self.bounds[start : max(start, stop) + 1]
        each = self.each[slice(int(bounds[0]), int(bounds[-1]))]
        return TokenFunction(each, bounds - bounds[0], self.aggregate)

    def gathered(self, scores: Tensor, indptr: Tensor) -> Tensor:
        """What the scores of single vectors make together.

        Args:
            scores: (functions, P).
            indptr: (N + 1,) of the documents that the P vectors are of.

        Returns:
            (Q, N).
        """
        found = maxima(scores, indptr) if self.aggregate == "max" else sums(scores, indptr)
        queries, counts = self.num_queries, self.bounds.diff()
        if queries and bool((counts == counts[0]).all()):
            return found.reshape(queries, int(counts[0]), found.shape[1]).sum(1)
        owners = torch.arange(queries, device=counts.device).repeat_interleave(counts)
        return found.new_zeros(queries, found.shape[1]).index_add(0, owners, found)

    def __call__(self, docs: Multi) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        flat = Multi(docs.indptr, docs.vectors)
        if len(docs.shape) == 2:
            queries, k = docs.shape
            parts = [self[q : q + 1]._shared(flat[q * k : (q + 1) * k]) for q in range(queries)]
            return torch.cat(parts) if parts else docs.vectors.new_zeros(0, k)
        return self._shared(flat)

    def _shared(self, docs: Multi) -> Tensor:
        """(N,) -> (Q, N), in blocks of documents that bound the scores held at once."""
        rows = self.each.num_queries
        parts = []
        for start, stop in _blocks(docs.indptr, max(CELLS // max(rows, 1), 1)):
            block = docs[start:stop]
            parts.append(self.gathered(self.each(Dense(block.vectors)), block.indptr))
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts, 1) if parts else docs.vectors.new_zeros(self.num_queries, 0, dtype=torch.float32)


def _blocks(indptr: Tensor, most: int) -> Iterator[tuple[int, int]]:
    """Documents side by side of `most` vectors together, or a single one of more."""
    start, n = 0, len(indptr) - 1
    while start < n:
        stop = int(torch.searchsorted(indptr, indptr[start] + most, right=True)) - 1
        stop = min(max(stop, start + 1), n)
        yield start, stop
        start = stop


def token_vectors(states: States) -> Tensor:
    """The vectors of all queries' tokens, one query behind the other, (P, D).

    Raises:
        InputError: the encoder makes one vector a text.
    """
    if states.vectors is None:
        raise InputError(
            "this relevance function reads a vector of every token, and the encoder makes one of every text",
            fix="encode with a model such as ColBERT: `hyperir.encode.colbert.colbert` makes one of any transformer",
        )
    return states.vectors[states.mask]


def counted_tokens(states: States) -> Tensor:
    """(Q + 1,): where each query's tokens begin among `token_vectors`."""
    return offsets_of(states.mask.sum(1))
