"""Packed documents: one immutable safetensors file with their tensors and `keys` (N,), read without a copy.

Of documents with one vector each the tensors are `vectors` (N, D). Others have several rows of the tensors each,
`vectors` (P, D), or `terms` and `weights` (P,); and in `ends` (N,) stands where each document's end.
"""

from __future__ import annotations

import itertools
import json
import mmap
import shutil
import struct
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hyperir.core.errors import CorruptError
from hyperir.index.commit import Commit, Dtype, Generation, Kind
from hyperir.index.kinds import KINDS, Block, Part
from hyperir.index.place import Content, Place

__all__ = ["FILE", "Packed", "PackedWriter", "packed_files"]

FILE = "vectors.safetensors"
START = 512  # where the tensors begin: the header is padded to it, for it is written last and vectors like alignment
NAMES = {"float32": "F32", "float16": "F16", "int64": "I64"}
BLOCK = 1 << 24  # bytes copied at once


class Layout(NamedTuple):
    """What a packed file holds, from which its header and length follow.

    Args:
        documents: N.
        parts: the tensors of the documents.
        total: P, the rows of each part, where documents have several each; None where each has one.
    """

    documents: int
    parts: tuple[Part, ...]
    total: int | None = None

    @property
    def rows(self) -> int:
        """Of each part."""
        return self.documents if self.total is None else self.total

    @property
    def starts(self) -> list[int]:
        """Where each part begins, in bytes after the header, and where the last one ends."""
        return list(accumulate((self.rows * part.row for part in self.parts), initial=0))

    @property
    def padding(self) -> int:
        """Bytes behind the parts, without which the whole numbers after them would not be aligned."""
        return -self.starts[-1] % 8

    @property
    def numbers(self) -> list[str]:
        """The tensors of whole numbers behind the parts, (N,) each."""
        return ["keys"] if self.total is None else ["ends", "keys"]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return START + self.starts[-1] + self.padding + 8 * self.documents * len(self.numbers)

    def header(self) -> bytes:
        """The file's first `START` bytes. Where the numbers would not be aligned, a `padding` stands before them."""
        starts = self.starts
        record: dict[str, Any] = {"__metadata__": {"format": "pt", "hyperir": "packed 1"}}
        for part, start, stop in zip(self.parts, starts, starts[1:], strict=False):
            shape = [self.rows, *part.shape]
            record[part.name] = {"dtype": NAMES[part.dtype], "shape": shape, "data_offsets": [start, stop]}
        end = starts[-1]
        if gap := self.padding:
            record["padding"] = {"dtype": "U8", "shape": [gap], "data_offsets": [end, end + gap]}
            end += gap
        for name in self.numbers:
            record[name] = {"dtype": "I64", "shape": [self.documents], "data_offsets": [end, end + 8 * self.documents]}
            end += 8 * self.documents
        text = json.dumps(record, separators=(",", ":")).encode("ascii")
        assert len(text) <= START - 8
        return struct.pack("<Q", START - 8) + text.ljust(START - 8)


class PackedWriter:
    """Writes a packed file block by block; the header is filled in last.

    Of several parts only the first can grow where it will stay. The others grow in nameless files beside it, of which a
    kill leaves nothing, and are copied behind it at the end.

    Args:
        path: a file that does not exist.
        width: D.
        dtype: of the documents' numbers.
        kind: of the documents.
    """

    def __init__(self, path: Path, width: int, dtype: Dtype, kind: Kind = "dense") -> None:
        self._parts = KINDS[kind].parts(width, dtype)
        self.documents = 0
        self.count: int | None = None if KINDS[kind].least is None else 0
        self._ends: list[np.ndarray[Any, Any]] = []
        self._file = path.open("xb")
        self._later = [TemporaryFile(dir=path.parent) for _ in self._parts[1:]]  # noqa: SIM115 - closed by `close`
        self._file.write(bytes(START))

    def write(self, block: Block) -> None:
        """Append documents of the file's kind and type."""
        assert (block.lengths is None) == (self.count is None)
        for part, tensor, file in zip(self._parts, block.tensors, [self._file, *self._later], strict=True):
            assert tensor.shape[1:] == part.shape
            file.write(np.ascontiguousarray(tensor, np.dtype(part.dtype).newbyteorder("<")).data)
        if self.count is not None and block.lengths is not None:
            assert int(block.lengths.sum()) == len(block.tensors[0])
            self._ends.append(self.count + block.lengths.cumsum())
            self.count += len(block.tensors[0])
        self.documents += block.documents

    def finish(self, keys: Iterable[np.ndarray[Any, Any]]) -> None:
        """Write the keys, in blocks of int64, and the header."""
        layout = Layout(self.documents, self._parts, self.count)
        for file in self._later:
            file.seek(0)
            shutil.copyfileobj(file, self._file, BLOCK)
        self._file.write(bytes(layout.padding))
        for block in itertools.chain(self._ends, keys):
            self._file.write(np.ascontiguousarray(block, "<i8").data)
        end = self._file.tell()
        self._file.seek(0)
        self._file.write(layout.header())
        self.close()
        assert end == layout.size

    def close(self) -> None:
        """Close the file, finished or not."""
        with ExitStack() as each:  # all of them, also where one cannot be
            for file in (self._file, *self._later):
                each.callback(file.close)


class Packed:
    """A packed file, mapped into memory when first used.

    Args:
        place: where the index is.
        name: the file there.
        content: as committed, or None where it is not settled yet.
        documents: N, as committed.
        width: D, as committed.
        dtype: as committed.
        kind: as committed.
        count: of the tensors' rows, as committed, where documents have several each; else None.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        content: Content | None,
        documents: int,
        width: int,
        dtype: Dtype,
        kind: Kind = "dense",
        count: int | None = None,
    ) -> None:
        self.place, self.name, self.content = place, name, content
        self.documents, self.width, self.dtype, self.kind, self.count = documents, width, dtype, kind, count
        self._layout = Layout(documents, KINDS[kind].parts(width, dtype), count)

    @property
    def rows(self) -> int:
        """Of each tensor."""
        return self._layout.rows

    @cached_property
    def _bytes(self) -> np.ndarray[Any, Any]:
        try:
            with self.place.local(self.name, self.content).open("rb") as file:
                try:
                    # Private pages: a caller who writes into a tensor gets a page of his own, the file stays as it is.
                    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
                except OSError:  # the system will not promise that much memory; it need not for pages that only read
                    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(str(error)) from error
        if len(mapped) != self._layout.size or mapped[:START] != self._layout.header():
            raise self._damaged("another header or length")
        return np.frombuffer(mapped, dtype=np.uint8)

    def open(self) -> None:
        """Map the file now.

        Raises:
            CorruptError: it is damaged or missing.
        """
        self._bytes  # noqa: B018

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Those of the kind's parts, in the mapped memory."""
        starts, layout = self._layout.starts, self._layout
        return tuple(
            _tensor(self._bytes[START + start : START + stop].view(part.dtype).reshape(layout.rows, *part.shape))
            for part, start, stop in zip(layout.parts, starts, starts[1:], strict=False)
        )

    @cached_property
    def indptr(self) -> Tensor:
        """(N + 1,) int64: where each document's rows begin, of documents with several.

        Raises:
            CorruptError: they do not follow each other up to the last row.
        """
        start = len(self._bytes) - 16 * self.documents
        ends = _tensor(self._bytes[start : start + 8 * self.documents].view(np.int64))
        indptr = torch.cat([torch.zeros(1, dtype=torch.int64), ends])
        if (indptr.diff() < (KINDS[self.kind].least or 0)).any() or int(indptr[-1]) != self.count:
            raise self._damaged("documents that do not follow each other")
        return indptr

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64, in the mapped memory."""
        start = len(self._bytes) - 8 * self.documents
        return _tensor(self._bytes[start:].view(np.int64))

    def _damaged(self, got: str) -> CorruptError:
        return CorruptError(
            f"{self.name} in {self.place} is damaged or missing",
            expected=f"{self.documents:,} documents of width {self.width} in {self.dtype}, with their keys",
            got=got,
            fix=f'"hyperir verify {self.place}" lists everything that is damaged',
        )


def packed_files(place: Place, commit: Commit, generations: Sequence[Generation] | None = None) -> list[Packed]:
    """The packed files of a commit in row order, or of generations that are written on top of it."""
    parts = commit.generations if generations is None else generations
    records = ((part, commit.files.get(part.file)) for part in parts)
    return [
        Packed(
            place,
            part.file,
            record.content if record else None,
            part.documents,
            commit.width,
            commit.dtype,
            commit.kind,
            part.vectors,
        )
        for part, record in records
    ]


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():  # torch warns of arrays that cannot be written; nobody writes into an index
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
