"""The documents of an index as one batch, over all its packed files and without copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Protocol

import torch
from torch import Size, Tensor

from hyperir.core.docs import Dense, Multi
from hyperir.core.ragged import offsets_of, picked, window
from hyperir.index.commit import Commit, Dtype
from hyperir.index.packed import Packed, packed_files
from hyperir.index.place import Place

__all__ = ["Stored", "StoredDocs", "StoredMulti", "all_keys", "stored_docs"]


class Stored(Protocol):
    """The documents of an index: a batch, (N,), of which every row has a lasting number."""

    width: int
    dtype: torch.dtype

    @property
    def shape(self) -> Size: ...
    @property
    def keys(self) -> Tensor: ...  # (N,) int64, ascending; rows move when an index is compacted, keys do not
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Tensor | slice) -> Any: ...


def stored_docs(place: Place, commit: Commit) -> StoredDocs | StoredMulti:
    """The documents of a commit, of the kind that it says."""
    parts = packed_files(place, commit)
    return (StoredDocs if commit.kind == "dense" else StoredMulti)(parts, commit.width, commit.dtype)


def all_keys(generations: Sequence[Packed]) -> Tensor:
    """(N,) int64: the lasting number of every row of some packed files."""
    return torch.cat([torch.empty(0, dtype=torch.int64), *(g.keys for g in generations)])


class _Vectors:
    """The vectors of several packed files as one (M, D)."""

    def __init__(self, generations: Sequence[Packed], width: int, dtype: torch.dtype) -> None:
        self._generations, self.width, self.dtype = generations, width, dtype
        counts = (g.documents if g.count is None else g.count for g in generations)
        self._starts = list(accumulate(counts, initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def range(self, start: int, stop: int) -> Tensor:
        """Those side by side: a view where they are in one file."""
        parts = [
            generation.vectors[max(start - first, 0) : stop - first]
            for generation, first, end in zip(self._generations, self._starts, self._starts[1:], strict=False)
            if first < stop and start < end
        ]
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts) if parts else torch.empty(0, self.width, dtype=self.dtype)

    def gather(self, flat: Tensor) -> Tensor:
        """Those at (m,) places, which exist."""
        if len(self._generations) == 1:
            return self._generations[0].vectors[flat]
        out = torch.empty(len(flat), self.width, dtype=self.dtype)
        order = flat.argsort()
        bounds = torch.searchsorted(flat[order], torch.tensor(self._starts)).tolist()
        for generation, first, a, b in zip(self._generations, self._starts, bounds, bounds[1:], strict=False):
            if a < b:
                places = order[a:b]
                out[places] = generation.vectors[flat[places] - first]
        return out


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
        self._vectors = _Vectors(self._generations, width, self.dtype)

    @property
    def shape(self) -> Size:
        return Size([len(self)])

    def __len__(self) -> int:
        return len(self._vectors)

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64: the lasting number of every row, ascending; rows move when an index is compacted, keys do not."""
        return all_keys(self._generations)

    def __getitem__(self, rows: Tensor | slice) -> Dense:
        """The documents at `rows`; negative rows count from the end, as everywhere."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return Dense(self._vectors.range(start, max(start, stop)))
            rows = torch.tensor(range(start, stop, step), dtype=torch.int64)
        return Dense(self._gather(rows))

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
        return self._vectors.gather(flat).reshape(*rows.shape, self.width)

    def open(self) -> None:
        """Map the files now."""
        for generation in self._generations:
            generation.open()

    def __repr__(self) -> str:
        return f"StoredDocs({len(self):,} documents, width {self.width}, {self.dtype})"

    def __reduce__(self) -> Any:
        return (StoredDocs, _reopened(self._generations, self.width, self.dtype))


class StoredMulti:
    """The same of documents with several vectors each.

    Args:
        generations: the packed files, in row order.
        width: D.
        dtype: of the vectors.
    """

    def __init__(self, generations: Sequence[Packed], width: int, dtype: Dtype) -> None:
        self.width = width
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._generations = list(generations)
        self._vectors = _Vectors(self._generations, width, self.dtype)
        self._documents = sum(generation.documents for generation in generations)

    @property
    def shape(self) -> Size:
        return Size([self._documents])

    def __len__(self) -> int:
        return self._documents

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64, as of `StoredDocs`."""
        return all_keys(self._generations)

    @cached_property
    def indptr(self) -> Tensor:
        """(N + 1,) int64: where each document's vectors begin among all."""
        lengths = [generation.indptr.diff() for generation in self._generations]
        return offsets_of(torch.cat([torch.empty(0, dtype=torch.int64), *lengths]))

    def __getitem__(self, rows: Tensor | slice) -> Multi:
        """The documents at `rows`; negative rows count from the end, as everywhere."""
        if isinstance(rows, slice) and (part := window(self.indptr, rows)) is not None:
            indptr, places = part
            return Multi(indptr, self._vectors.range(places.start, places.stop))
        indptr, chosen, shape = picked(self.indptr, rows)
        return Multi(indptr, self._vectors.gather(chosen), shape)

    def open(self) -> None:
        """Map the files now."""
        for generation in self._generations:
            generation.open()

    def __repr__(self) -> str:
        return (
            f"StoredMulti({len(self):,} documents, {len(self._vectors):,} vectors of width {self.width}, {self.dtype})"
        )

    def __reduce__(self) -> Any:
        return (StoredMulti, _reopened(self._generations, self.width, self.dtype))


def _reopened(generations: Sequence[Packed], width: int, dtype: torch.dtype) -> tuple[list[Packed], int, str]:
    """Mapped memory cannot travel; the paths can, and the other process maps the files itself."""
    parts = [Packed(g.place, g.name, g.content, g.documents, g.width, g.dtype, g.count) for g in generations]
    return parts, width, str(dtype).removeprefix("torch.")
