"""Kinds of documents, as an index stores them: one file each, and one row of `KINDS`.

The rows table holds a document in its column of vectors, the packed files in tensors of their own that are read without
a copy. What differs between kinds is here; everything else is written once, for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from torch import Size, Tensor

from hyperir.core.types import Docs, Row
from hyperir.index.commit import Dtype, Kind
from hyperir.index.kinds.block import Block, Part
from hyperir.index.kinds.dense import DenseKind
from hyperir.index.kinds.multi import MultiKind
from hyperir.index.kinds.sparse import SparseKind

__all__ = ["KINDS", "Block", "Part", "StoredKind"]


class StoredKind(Protocol):
    """A kind of documents."""

    has: str  # what an index holds of every document, in words
    flaw: str  # what `unsound` finds, in words, with a place for the {row}
    least: int | None  # rows of the tensors that a document has at least; None where each has exactly one
    batch: int  # documents read at once from the rows table

    def parts(self, width: int, dtype: Dtype) -> tuple[Part, ...]:
        """The tensors of a packed file, the widest numbers first."""
        ...

    def checked(self, docs: Any, rows: Sequence[Row], width: int, dtype: Dtype) -> Block:
        """What somebody wants to add, as it is written.

        Args:
            docs: (n,) documents.
            rows: theirs, named in errors.
            width, dtype: of the index.

        Raises:
            VectorError: they are of another kind, shape or type, or not finite; names the first such document.
            InputError: another number of rows than documents.
        """
        ...

    def arrow_type(self, width: int, dtype: Dtype) -> Any:
        """Of the column in the rows table."""
        ...

    def to_arrow(self, block: Block) -> Any:
        """The column of the rows table."""
        ...

    def of_arrow(self, column: Any, width: int) -> Block:
        """The reverse, without a copy where that is possible."""
        ...

    def readable_type(self, width: int, dtype: Dtype) -> Any:
        """Of the column that `readable` gives."""
        ...

    def readable(self, column: Any, width: int) -> Any:
        """The column as other tools read it."""
        ...

    def unsound(self, tensors: tuple[Tensor, ...], width: int) -> Tensor:
        """(P,) bool: which rows of a packed file's tensors `checked` would have refused."""
        ...

    def docs(self, tensors: tuple[Tensor, ...], indptr: Tensor | None, shape: Size | None = None) -> Docs:
        """Documents of what is packed.

        Args:
            tensors: rows of each part.
            indptr: (n + 1,) where each document's begin; None where each has one.
            shape: of the n documents; None is (n,).
        """
        ...


KINDS: Mapping[Kind, StoredKind] = MappingProxyType(
    {"dense": DenseKind(), "multi": MultiKind(), "sparse": SparseKind()}
)
