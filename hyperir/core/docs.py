"""Document representations, and the token states from which queries write functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Size, Tensor

__all__ = ["Dense", "Sparse", "States"]


@dataclass(frozen=True)
class Dense:
    """One vector a document.

    Args:
        vectors: (..., D), floating point; (N, D) for documents shared by all queries, (Q, K, D) for own candidates.
    """

    vectors: Tensor

    @property
    def shape(self) -> Size:
        return self.vectors.shape[:-1]

    @property
    def width(self) -> int:
        return self.vectors.shape[-1]

    def __getitem__(self, rows: Tensor | slice) -> Dense:
        return Dense(self.vectors[rows])

    @property
    def nbytes(self) -> int:
        return self.vectors.nbytes


@dataclass(frozen=True)
class Sparse:
    """A few weighted terms a document, in compressed rows; terms are whole numbers of a vocabulary of any size.

    Args:
        indptr: (M + 1,) int64 from 0: document i, in row-major order of `shape`, has places indptr[i]:indptr[i + 1].
        terms: (P,) int64, 0 or greater, each once a document.
        weights: (P,) floating point.
        batch: the shape, whose product is M; None is (M,).
    """

    indptr: Tensor
    terms: Tensor
    weights: Tensor
    batch: Size | None = None

    @property
    def shape(self) -> Size:
        return Size([len(self.indptr) - 1]) if self.batch is None else self.batch

    def __getitem__(self, rows: Tensor | slice) -> Sparse:
        """The documents at `rows` of an (N,) batch."""
        n = len(self.indptr) - 1
        if isinstance(rows, slice):
            start, stop, step = rows.indices(n)
            if step == 1:
                bounds = self.indptr[start : max(start, stop) + 1]
                first, last = int(bounds[0]), int(bounds[-1])
                return Sparse(bounds - first, self.terms[first:last], self.weights[first:last])
            rows = torch.arange(start, stop, step)
        flat = rows.reshape(-1)
        if len(flat):
            low, high = (int(bound) for bound in flat.aminmax())
            if low < -n or high >= n:
                raise IndexError(f"row {low if low < -n else high} of {n:,} documents")
            flat = torch.where(flat < 0, flat + n, flat) if low < 0 else flat
        starts = self.indptr[flat]
        lengths = self.indptr[flat + 1] - starts
        indptr = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        places = torch.arange(int(indptr[-1])) + (starts - indptr[:-1]).repeat_interleave(lengths)
        return Sparse(indptr, self.terms[places], self.weights[places], rows.shape)

    @property
    def nbytes(self) -> int:
        return self.indptr.nbytes + self.terms.nbytes + self.weights.nbytes

    @property
    def owners(self) -> Tensor:
        """(P,) int64: the document of every place, in row-major order of `shape`."""
        return torch.arange(len(self.indptr) - 1).repeat_interleave(self.indptr.diff())

    def sums(self) -> Tensor:
        """(M,): the sum of every document's weights."""
        return self.weights.new_zeros(len(self.indptr) - 1).index_add(0, self.owners, self.weights)

    def weighted(self, weights: Tensor) -> Sparse:
        """The same terms with other weights, (P,)."""
        return Sparse(self.indptr, self.terms, weights, self.batch)

    def dense(self, size: int) -> Dense:
        """Vectors (*shape, size), for vocabularies of terms below `size` that are small."""
        out = self.weights.new_zeros((len(self.indptr) - 1) * size)
        flat = out.index_add(0, self.owners * size + self.terms, self.weights)
        return Dense(flat.reshape(*self.shape, size))

    @staticmethod
    def of_dense(vectors: Tensor) -> Sparse:
        """What is not zero in (N, V)."""
        rows, terms = vectors.nonzero(as_tuple=True)
        counts = torch.bincount(rows, minlength=len(vectors))
        return Sparse(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), terms, vectors[rows, terms])

    @staticmethod
    def cat(parts: Sequence[Sparse]) -> Sparse:
        """One (N,) batch after the other."""
        lengths = [part.indptr.diff() for part in parts]
        return Sparse(
            torch.cat([torch.zeros(1, dtype=torch.int64), *lengths]).cumsum(0),
            torch.cat([torch.empty(0, dtype=torch.int64), *(part.terms for part in parts)]),
            torch.cat([torch.empty(0), *(part.weights for part in parts)]),
        )


@dataclass(frozen=True)
class States:
    """What a text encoder makes of B texts, and all that a relevance function may read of its query.

    Args:
        tokens: (B, T, H), the last hidden states.
        mask: (B, T) boolean, true where a token is real.
        pooled: (B, D), the texts' vectors after pooling and normalisation.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __len__(self) -> int:
        return self.tokens.shape[0]
