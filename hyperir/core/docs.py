"""Document representations, and the token states from which queries write functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Size, Tensor

from hyperir.core.ragged import offsets_of, picked, window

__all__ = ["Cells", "Dense", "Multi", "Sparse", "States"]


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
        if isinstance(rows, slice) and (part := window(self.indptr, rows)) is not None:
            indptr, places = part
            return Sparse(indptr, self.terms[places], self.weights[places])
        indptr, chosen, shape = picked(self.indptr, rows)
        return Sparse(indptr, self.terms[chosen], self.weights[chosen], shape)

    def __len__(self) -> int:
        return self.shape[0]

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
class Multi:
    """Several vectors a document, one of each of its tokens; of every document its own number, at least one.

    Args:
        indptr: (M + 1,) int64 from 0: document i, in row-major order of `shape`, has vectors indptr[i]:indptr[i + 1].
        vectors: (P, D), floating point.
        batch: the shape, whose product is M; None is (M,).
    """

    indptr: Tensor
    vectors: Tensor
    batch: Size | None = None

    @property
    def shape(self) -> Size:
        return Size([len(self.indptr) - 1]) if self.batch is None else self.batch

    @property
    def width(self) -> int:
        return self.vectors.shape[-1]

    @property
    def nbytes(self) -> int:
        return self.indptr.nbytes + self.vectors.nbytes

    @property
    def lengths(self) -> Tensor:
        """(M,) int64: how many vectors each document has."""
        return self.indptr.diff()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> Multi:
        """The documents at `rows` of an (N,) batch; a slice is a view."""
        if isinstance(rows, slice) and (part := window(self.indptr, rows)) is not None:
            indptr, places = part
            return Multi(indptr, self.vectors[places])
        indptr, chosen, shape = picked(self.indptr, rows)
        return Multi(indptr, self.vectors[chosen], shape)

    @staticmethod
    def of_padded(vectors: Tensor, mask: Tensor) -> Multi:
        """(B, T, D) vectors of B documents without those where the (B, T) mask is false."""
        return Multi(offsets_of(mask.sum(1)), vectors[mask])

    @staticmethod
    def of_list(documents: Sequence[Tensor]) -> Multi:
        """One (T, D) tensor a document, each with its own T; at least one document."""
        lengths = torch.tensor([len(document) for document in documents])
        return Multi(offsets_of(lengths), torch.cat(list(documents)))

    @staticmethod
    def cat(parts: Sequence[Multi]) -> Multi:
        """One (N,) batch after the other, of one width; at least one of them."""
        return Multi(
            offsets_of(torch.cat([part.lengths for part in parts])), torch.cat([part.vectors for part in parts])
        )


@dataclass(frozen=True)
class Cells:
    """Where documents' vectors count the tokens of B queries: the smallest of a token's R cells is its count there.

    Args:
        places: (B, T, R) int64, numbers of a document's vector.
        weights: (B, T), what a token's count adds to the score; 0 for tokens that are not counted.
        units: (B, T), one over the token's weight in documents, so that its count times that is about 1 where a text
            has the token once, whatever the token; 0 for tokens that are not counted.
    """

    places: Tensor
    weights: Tensor
    units: Tensor

    def __getitem__(self, texts: Tensor | slice) -> Cells:
        return Cells(self.places[texts], self.weights[texts], self.units[texts])

    def to(self, device: torch.device) -> Cells:
        return Cells(*(tensor.to(device, non_blocking=True) for tensor in (self.places, self.weights, self.units)))

    def padded(self, length: int) -> Cells:
        """The same with room for `length` tokens; what is added counts nothing."""
        more = (0, length - self.weights.shape[1])
        places = torch.nn.functional.pad(self.places, (0, 0, *more))
        return Cells(places, *(torch.nn.functional.pad(each, more) for each in (self.weights, self.units)))

    @staticmethod
    def cat(parts: Sequence[Cells]) -> Cells:
        """One batch after the other, padded to the longest."""
        longest = max(part.weights.shape[1] for part in parts)
        parts = [part.padded(longest) for part in parts]
        return Cells(*(torch.cat([getattr(part, name) for part in parts]) for name in ("places", "weights", "units")))


@dataclass(frozen=True)
class States:
    """What a text encoder makes of B texts, and all that a relevance function may read of its query.

    Args:
        tokens: (B, T, H), the last hidden states.
        mask: (B, T) boolean, true where a token is real.
        pooled: (B, D), the texts' vectors after pooling and normalisation.
        vectors: (B, T, D), a vector of every token, where the mask is true, of encoders that make these; else None.
        cells: where documents count the tokens, of encoders whose documents do; else None.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor
    vectors: Tensor | None = None
    cells: Cells | None = None

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def __getitem__(self, texts: Tensor | slice) -> States:
        """The states of some of the texts."""
        vectors = None if self.vectors is None else self.vectors[texts]
        cells = None if self.cells is None else self.cells[texts]
        return States(self.tokens[texts], self.mask[texts], self.pooled[texts], vectors, cells)

    def to(self, device: torch.device) -> States:
        tokens, mask, pooled = (each.to(device, non_blocking=True) for each in (self.tokens, self.mask, self.pooled))
        vectors = None if self.vectors is None else self.vectors.to(device, non_blocking=True)
        return States(tokens, mask, pooled, vectors, None if self.cells is None else self.cells.to(device))
