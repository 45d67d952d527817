"""The documents of an index as one batch, over all its packed files and without copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, Protocol

import torch
from torch import Size, Tensor

from hyperir.core.ragged import offsets_of, picked, window
from hyperir.index.commit import Commit, Dtype, Kind
from hyperir.index.kinds import KINDS
from hyperir.index.packed import Packed, packed_files
from hyperir.index.place import Place

__all__ = ["Stored", "StoredDocs", "StoredRagged", "all_keys", "stored_docs"]


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


def stored_docs(place: Place, commit: Commit) -> StoredDocs | StoredRagged:
    """The documents of a commit, of the kind that it says."""
    parts = packed_files(place, commit)
    made = StoredDocs if KINDS[commit.kind].least is None else StoredRagged
    return made(parts, commit.width, commit.dtype, commit.kind)


def all_keys(generations: Sequence[Packed]) -> Tensor:
    """(N,) int64: the lasting number of every row of some packed files."""
    return torch.cat([torch.empty(0, dtype=torch.int64), *(g.keys for g in generations)])


class _Tensors:
    """The tensors of several packed files as one of each, P rows."""

    def __init__(self, generations: Sequence[Packed], width: int, dtype: Dtype, kind: Kind) -> None:
        self._generations = generations
        self._none = tuple(
            torch.empty(0, *part.shape, dtype=getattr(torch, part.dtype)) for part in KINDS[kind].parts(width, dtype)
        )
        self._starts = list(accumulate((g.rows for g in generations), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def range(self, start: int, stop: int) -> tuple[Tensor, ...]:
        """Rows side by side: views where they are in one file."""
        parts = [
            tuple(tensor[max(start - first, 0) : stop - first] for tensor in generation.tensors)
            for generation, first, end in zip(self._generations, self._starts, self._starts[1:], strict=False)
            if first < stop and start < end
        ]
        if len(parts) == 1:
            return parts[0]
        return tuple(torch.cat(each) for each in zip(*parts, strict=True)) if parts else self._none

    def gather(self, flat: Tensor) -> tuple[Tensor, ...]:
        """Those at (m,) places, which exist."""
        if len(self._generations) == 1:
            return tuple(tensor[flat] for tensor in self._generations[0].tensors)
        out = tuple(none.new_empty(len(flat), *none.shape[1:]) for none in self._none)
        order = flat.argsort()
        bounds = torch.searchsorted(flat[order], torch.tensor(self._starts)).tolist()
        for generation, first, a, b in zip(self._generations, self._starts, bounds, bounds[1:], strict=False):
            if a < b:
                places = order[a:b]
                for whole, tensor in zip(out, generation.tensors, strict=True):
                    whole[places] = tensor[flat[places] - first]
        return out


class StoredDocs:
    """All documents of an index, in the order in which they were added; they stay on disk until rows are asked for.

    A slice inside one packed file is a view of the mapped memory; a slice over several, and rows by number, are copies.

    Args:
        generations: the packed files, in row order.
        width: D.
        dtype: of the vectors.
        kind: of documents that have one row of the tensors each.
    """

    def __init__(self, generations: Sequence[Packed], width: int, dtype: Dtype, kind: Kind = "dense") -> None:
        self.width, self.kind = width, kind
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._generations = list(generations)
        self._tensors = _Tensors(self._generations, width, dtype, kind)

    @property
    def shape(self) -> Size:
        return Size([len(self)])

    def __len__(self) -> int:
        return len(self._tensors)

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64: the lasting number of every row, ascending; rows move when an index is compacted, keys do not."""
        return all_keys(self._generations)

    def __getitem__(self, rows: Tensor | slice) -> Any:
        """The documents at `rows`; negative rows count from the end, as everywhere."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return KINDS[self.kind].docs(self._tensors.range(start, max(start, stop)), None)
            rows = torch.tensor(range(start, stop, step), dtype=torch.int64)
        return KINDS[self.kind].docs(self._gather(rows), None)

    def _gather(self, rows: Tensor) -> tuple[Tensor, ...]:
        if rows.dtype == torch.bool or rows.is_floating_point():
            raise TypeError(f"rows are whole numbers, not {rows.dtype}")
        flat = rows.reshape(-1).to("cpu", torch.int64)
        if len(flat):
            low, high = (int(bound) for bound in flat.aminmax())
            if low < -len(self) or high >= len(self):
                raise IndexError(f"row {high if high >= len(self) else low} of an index of {len(self):,} documents")
            if low < 0:
                flat = torch.where(flat < 0, flat + len(self), flat)
        return tuple(found.reshape(*rows.shape, *found.shape[1:]) for found in self._tensors.gather(flat))

    def open(self) -> None:
        """Map the files now."""
        for generation in self._generations:
            generation.open()

    def __repr__(self) -> str:
        return f"StoredDocs({len(self):,} documents, width {self.width}, {self.dtype})"

    def __reduce__(self) -> Any:
        return (StoredDocs, _reopened(self))


class StoredRagged:
    """The same of documents that have several rows of the tensors each, every one its own number.

    Args:
        generations: the packed files, in row order.
        width: D.
        dtype: of the vectors or weights.
        kind: of the documents.
    """

    def __init__(self, generations: Sequence[Packed], width: int, dtype: Dtype, kind: Kind) -> None:
        self.width, self.kind = width, kind
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._generations = list(generations)
        self._tensors = _Tensors(self._generations, width, dtype, kind)
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
        """(N + 1,) int64: where each document's rows begin among all."""
        lengths = [generation.indptr.diff() for generation in self._generations]
        return offsets_of(torch.cat([torch.empty(0, dtype=torch.int64), *lengths]))

    def __getitem__(self, rows: Tensor | slice) -> Any:
        """The documents at `rows`; negative rows count from the end, as everywhere."""
        made = KINDS[self.kind].docs
        if isinstance(rows, slice) and (part := window(self.indptr, rows)) is not None:
            indptr, places = part
            return made(self._tensors.range(places.start, places.stop), indptr)
        indptr, chosen, shape = picked(self.indptr, rows)
        return made(self._tensors.gather(chosen), indptr, shape)

    def open(self) -> None:
        """Map the files now."""
        for generation in self._generations:
            generation.open()

    def __repr__(self) -> str:
        told = f"{len(self):,} documents of {KINDS[self.kind].has}, {len(self._tensors):,} in all"
        return f"StoredRagged({told}, width {self.width}, {self.dtype})"

    def __reduce__(self) -> Any:
        return (StoredRagged, _reopened(self))


def _reopened(docs: StoredDocs | StoredRagged) -> tuple[list[Packed], int, str, Kind]:
    """Mapped memory cannot travel; the paths can, and the other process maps the files itself."""
    parts = [
        Packed(g.place, g.name, g.content, g.documents, g.width, g.dtype, g.kind, g.count) for g in docs._generations
    ]
    return parts, docs.width, str(docs.dtype).removeprefix("torch."), docs.kind
