"""Documents of one vector each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Size, Tensor

from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.types import Row
from hyperir.index.checks import converted, refuse_infinite
from hyperir.index.commit import Dtype
from hyperir.index.kinds.block import Block, Part

__all__ = ["DenseKind"]


class DenseKind:
    """(N, D) vectors; see :class:`~hyperir.index.kinds.StoredKind`."""

    has = "one vector"
    flaw = "the vector of its row {row} is not finite"
    least: int | None = None
    batch = 8192

    def parts(self, width: int, dtype: Dtype) -> tuple[Part, ...]:
        return (Part("vectors", dtype, (width,)),)

    def checked(self, docs: Any, rows: Sequence[Row], width: int, dtype: Dtype) -> Block:
        stored = converted(docs, width, dtype)
        if len(rows) != len(stored):
            raise InputError(
                "rows and vectors differ in number",
                expected="one vector for a row",
                got=f"{len(rows)} and {len(stored)}",
            )
        refuse_infinite(stored, "vector", dtype, lambda place: place, rows)
        return Block((stored,))

    def arrow_type(self, width: int, dtype: Dtype) -> Any:
        import pyarrow as pa

        return pa.list_(pa.float32() if dtype == "float32" else pa.float16(), width)

    def to_arrow(self, block: Block) -> Any:
        import pyarrow as pa

        (vectors,) = block.tensors
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])

    def of_arrow(self, column: Any, width: int) -> Block:
        return Block((column.flatten().to_numpy().reshape(-1, width),))

    def readable_type(self, width: int, dtype: Dtype) -> Any:
        return self.arrow_type(width, dtype)

    def readable(self, column: Any, width: int) -> Any:
        return column

    def unsound(self, tensors: tuple[Tensor, ...], width: int) -> Tensor:
        return ~tensors[0].isfinite().all(dim=1)

    def docs(self, tensors: tuple[Tensor, ...], indptr: Tensor | None, shape: Size | None = None) -> Dense:
        return Dense(tensors[0])
