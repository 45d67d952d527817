"""The documents of an index as one batch of vectors, over all its packed files and without copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Size, Tensor

from hyperir.core.docs import Dense
from hyperir.index.commit import Dtype
from hyperir.index.packed import Packed

__all__ = ["StoredDocs"]


class StoredDocs:
    """All documents of an index, in the order in which they were added; they stay on disk until rows are asked for.

    A slice inside one packed file is a view of the mapped memory; a slice over several, and rows by number, are copies.

    Args:
        generations: the packed files, in row order.
        width: D.
        dtype: of the vectors.
    """

    def __init__(self, generations: Sequence[Packed], width: int, dtype: Dtype) -> None:
        self.width = width
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._generations = list(generations)
        self._starts = list(accumulate((g.documents for g in generations), initial=0))

    @property
    def shape(self) -> Size:
        return Size([self._starts[-1]])

    def __len__(self) -> int:
        return self._starts[-1]

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64: the lasting number of every row, ascending; rows move when an index is compacted, keys do not."""
        return torch.cat([torch.empty(0, dtype=torch.int64), *(g.keys for g in self._generations)])

    def __getitem__(self, rows: Tensor | slice) -> Dense:
        """The documents at `rows`; negative rows count from the end, as everywhere."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return Dense(self._range(start, max(start, stop)))
            rows = torch.tensor(range(start, stop, step), dtype=torch.int64)
        return Dense(self._gather(rows))

    def _range(self, start: int, stop: int) -> Tensor:
        parts = [
            generation.vectors[max(start - first, 0) : stop - first]
            for generation, first in zip(self._generations, self._starts, strict=False)
            if first < stop and start < first + generation.documents
        ]
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts) if parts else torch.empty(0, self.width, dtype=self.dtype)

    def _gather(self, rows: Tensor) -> Tensor:
        if rows.dtype == torch.bool or rows.is_floating_point():
            raise TypeError(f"rows are whole numbers, not {rows.dtype}")
        flat = rows.reshape(-1).to("cpu", torch.int64)
        if len(flat):
            low, high = (int(bound) for bound in flat.aminmax())
            if low < -len(self) or high >= len(self):
                raise IndexError(f"row {high if high >= len(self) else low} of an index of {len(self):,} documents")
            if low < 0:
                flat = torch.where(flat < 0, flat + len(self), flat)
        if len(self._generations) == 1:
            vectors = self._generations[0].vectors[flat]
        else:
            vectors = self._gather_over(flat)
        return vectors.reshape(*rows.shape, self.width)

    def _gather_over(self, flat: Tensor) -> Tensor:
        out = torch.empty(len(flat), self.width, dtype=self.dtype)
        order = flat.argsort()
        bounds = torch.searchsorted(flat[order], torch.tensor(self._starts)).tolist()
        for generation, first, a, b in zip(self._generations, self._starts, bounds, bounds[1:], strict=False):
            if a < b:
                places = order[a:b]
                out[places] = generation.vectors[flat[places] - first]
        return out

    def __repr__(self) -> str:
        return f"StoredDocs({len(self):,} documents, width {self.width}, {self.dtype})"

    def __reduce__(self) -> Any:
        # Mapped memory cannot travel; the paths can, and the other process maps the files itself.
        name = str(self.dtype).removeprefix("torch.")
        parts = [Packed(g.place, g.name, g.content, g.documents, g.width, g.dtype) for g in self._generations]
        return (StoredDocs, (parts, self.width, name))
