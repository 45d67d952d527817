"""Documents of weighted terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Size, Tensor

from hyperir.core.docs import Sparse
from hyperir.core.errors import InputError, VectorError
from hyperir.core.types import Row
from hyperir.index.checks import converted, refuse_infinite
from hyperir.index.commit import Dtype
from hyperir.index.kinds.block import Block, Part
from hyperir.index.schema import plain

__all__ = ["SparseKind"]


class SparseKind:
    """(P,) terms below the index's width, ascending in a document, and (P,) weights; of some documents none.

    See :class:`~hyperir.index.kinds.StoredKind`.
    """

    has = "weights of terms"
    flaw = "its row {row} has a weight that is not finite, or a term that is none of the index"
    least: int | None = 0
    batch = 2048  # some 5 MB of 200 terms each

    def parts(self, width: int, dtype: Dtype) -> tuple[Part, ...]:
        return (Part("terms", "int64"), Part("weights", dtype))

    def checked(self, docs: Any, rows: Sequence[Row], width: int, dtype: Dtype) -> Block:
        if not isinstance(docs, Sparse):
            raise VectorError(
                "this index holds weights of terms",
                expected="hyperir.core.docs.Sparse",
                got=type(docs).__name__,
                fix="`Sparse.of_dense` takes vectors that are nearly all zero",
            )
        if docs.shape != Size([len(rows)]):
            raise InputError(
                "rows and documents differ in number",
                expected=f"({len(rows)},) documents",
                got=str(tuple(docs.shape)),
            )
        docs = Sparse(docs.indptr.cpu(), docs.terms.cpu(), docs.weights)
        if docs.terms.dtype != torch.int64 or docs.terms.shape != docs.weights.shape:
            raise VectorError(
                "every term has a number and a weight",
                expected="terms and weights (P,), terms of int64",
                got=f"{docs.terms.dtype} {tuple(docs.terms.shape)} and {tuple(docs.weights.shape)}",
            )
        weights = converted(docs.weights.reshape(-1, 1), 1, dtype)
        refuse_infinite(weights, "weight of a term", dtype, lambda place: int(docs.owners[place]), rows)
        outside = (docs.terms < 0) | (docs.terms > width - 1)
        if outside.any():
            _refuse(docs, outside, rows, f"terms from 0 to {width - 1:,}")
        terms, ordered = docs.terms.numpy(), weights.reshape(-1)
        if not _ascending(docs).all():
            order = np.lexsort((terms, docs.owners.numpy()))
            terms, ordered = terms[order], ordered[order]
            docs = Sparse(docs.indptr, torch.from_numpy(terms), torch.from_numpy(ordered))
            if not (rising := _ascending(docs)).all():
                _refuse(docs, ~rising, rows, "every term once a document")
        return Block((terms, ordered), docs.indptr.diff().numpy())

    def arrow_type(self, width: int, dtype: Dtype) -> Any:
        import pyarrow as pa

        return pa.list_(pa.struct([("term", pa.int64()), ("weight", _number(dtype))]))

    def to_arrow(self, block: Block) -> Any:
        import pyarrow as pa

        (terms, weights), lengths = block
        assert lengths is not None
        ends = np.concatenate([[0], lengths.cumsum()]).astype(np.int32)
        both = pa.StructArray.from_arrays([pa.array(terms), pa.array(weights)], ["term", "weight"])
        return pa.ListArray.from_arrays(pa.array(ends), both)

    def of_arrow(self, column: Any, width: int) -> Block:
        both = column.flatten()
        tensors = (both.field("term").to_numpy(), both.field("weight").to_numpy())
        return Block(tensors, column.value_lengths().to_numpy())

    def readable_type(self, width: int, dtype: Dtype) -> Any:
        return self.arrow_type(width, dtype)

    def readable(self, column: Any, width: int) -> Any:
        return column

    def unsound(self, tensors: tuple[Tensor, ...], width: int) -> Tensor:
        terms, weights = tensors
        return (terms < 0) | (terms > width - 1) | ~weights.isfinite()

    def docs(self, tensors: tuple[Tensor, ...], indptr: Tensor | None, shape: Size | None = None) -> Sparse:
        assert indptr is not None
        terms, weights = tensors
        return Sparse(indptr, terms, weights, shape)


def _number(dtype: Dtype) -> Any:
    import pyarrow as pa

    return pa.float32() if dtype == "float32" else pa.float16()


def _ascending(docs: Sparse) -> Tensor:
    """(P,) bool: whether a term is greater than the one before it in its document."""
    rising = torch.ones(len(docs.terms), dtype=torch.bool)
    rising[1:] = docs.terms.diff() > 0
    firsts = docs.indptr[:-1]
    rising[firsts[firsts < len(rising)]] = True
    return rising


def _refuse(docs: Sparse, wrong: Tensor, rows: Sequence[Row], expected: str) -> None:
    place = int(wrong.int().argmax())
    row = int(torch.searchsorted(docs.indptr, place, right=True)) - 1
    raise VectorError(
        f"the document of id {plain(rows[row]['id'])} has a term that cannot be stored",
        expected=expected,
        got=f"term {int(docs.terms[place])} at row {row} of this batch",
    )
