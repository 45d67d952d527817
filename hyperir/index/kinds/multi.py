"""Documents of several vectors each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Size, Tensor

from hyperir.core.docs import Multi
from hyperir.core.errors import InputError, VectorError
from hyperir.core.types import Row
from hyperir.index.checks import converted, refuse_infinite
from hyperir.index.commit import Dtype
from hyperir.index.kinds.block import Block, Part
from hyperir.index.schema import plain

__all__ = ["MultiKind"]


class MultiKind:
    """(P, D) vectors, and how many each document has; see :class:`~hyperir.index.kinds.StoredKind`."""

    has = "several vectors"
    flaw = "the vector of its row {row} is not finite"
    least: int | None = 1
    batch = 256  # some 24 MB of 180 vectors 128 wide

    def parts(self, width: int, dtype: Dtype) -> tuple[Part, ...]:
        return (Part("vectors", dtype, (width,)),)

    def checked(self, docs: Any, rows: Sequence[Row], width: int, dtype: Dtype) -> Block:
        if not isinstance(docs, Multi):
            raise VectorError(
                "this index holds several vectors of every document",
                expected="hyperir.core.docs.Multi",
                got=type(docs).__name__,
                fix="`Multi.of_list` takes a tensor (tokens, width) a document",
            )
        stored, lengths = converted(docs.vectors, width, dtype), docs.lengths.cpu().numpy()
        if len(rows) != len(lengths):
            raise InputError(
                "rows and documents differ in number", expected="as many of both", got=f"{len(rows)} and {len(lengths)}"
            )
        if (lengths < 1).any():
            row = rows[int(lengths.argmin())]
            raise VectorError(
                f"the document of id {plain(row['id'])} has no vector", expected="one or more", got="none of its tokens"
            )
        ends = lengths.cumsum()
        refuse_infinite(stored, "vector", dtype, lambda place: int(np.searchsorted(ends, place, side="right")), rows)
        return Block((stored,), lengths)

    def arrow_type(self, width: int, dtype: Dtype) -> Any:
        """All vectors of a document behind each other."""
        import pyarrow as pa

        return pa.list_(pa.float32() if dtype == "float32" else pa.float16())

    def to_arrow(self, block: Block) -> Any:
        import pyarrow as pa

        (vectors,), lengths = block
        assert lengths is not None
        ends = np.concatenate([[0], lengths.cumsum()]) * vectors.shape[1]
        return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(vectors.reshape(-1)))

    def of_arrow(self, column: Any, width: int) -> Block:
        values = column.flatten().to_numpy().reshape(-1, width)
        return Block((values,), column.value_lengths().to_numpy() // width)

    def readable_type(self, width: int, dtype: Dtype) -> Any:
        import pyarrow as pa

        return pa.list_(pa.list_(pa.float32() if dtype == "float32" else pa.float16(), width))

    def readable(self, column: Any, width: int) -> Any:
        """A list of vectors."""
        import pyarrow as pa

        (values,), lengths = self.of_arrow(column, width)
        assert lengths is not None
        one = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), width)
        return pa.ListArray.from_arrays(pa.array([0, *lengths.cumsum().tolist()], pa.int32()), one)

    def unsound(self, tensors: tuple[Tensor, ...], width: int) -> Tensor:
        return ~tensors[0].isfinite().all(dim=1)

    def docs(self, tensors: tuple[Tensor, ...], indptr: Tensor | None, shape: Size | None = None) -> Multi:
        assert indptr is not None
        return Multi(indptr, tensors[0], shape)
