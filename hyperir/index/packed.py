"""Packed vectors: one immutable safetensors file with `vectors` (N, D) and `keys` (N,), read without a copy.

Of documents with several vectors each it holds `vectors` (P, D), and in `ends` (N,) where each document's end.
"""

from __future__ import annotations

import itertools
import json
import mmap
import struct
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hyperir.core.errors import CorruptError
from hyperir.index.commit import Commit, Dtype, Generation, Kind
from hyperir.index.place import Content, Place

__all__ = ["FILE", "Packed", "PackedWriter", "packed_files"]

FILE = "vectors.safetensors"
START = 512  # where the tensors begin: the header is padded to it, for it is written last and vectors like alignment
NAMES = {"float32": "F32", "float16": "F16"}


class Layout(NamedTuple):
    """What a packed file holds, from which its header and length follow.

    Args:
        documents: N.
        width: D.
        dtype: of the vectors.
        vectors: P, where documents have several each; None where each has one.
    """

    documents: int
    width: int
    dtype: Dtype
    vectors: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Of the vectors."""
        return (self.documents if self.vectors is None else self.vectors, self.width)

    @property
    def end(self) -> int:
        """Where the vectors end, in bytes after the header."""
        return self.shape[0] * self.width * np.dtype(self.dtype).itemsize

    @property
    def padding(self) -> int:
        """Bytes behind the vectors, without which the whole numbers after them would not be aligned."""
        return -self.end % 8

    @property
    def numbers(self) -> list[str]:
        """The tensors of whole numbers behind the vectors, (N,) each."""
        return ["keys"] if self.vectors is None else ["ends", "keys"]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return START + self.end + self.padding + 8 * self.documents * len(self.numbers)

    def header(self) -> bytes:
        """The file's first `START` bytes. Where the numbers would not be aligned, a `padding` stands before them."""
        end = self.end
        record: dict[str, Any] = {
            "__metadata__": {"format": "pt", "hyperir": "packed 1"},
            "vectors": {"dtype": NAMES[self.dtype], "shape": list(self.shape), "data_offsets": [0, end]},
        }
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

    Args:
        path: a file that does not exist.
        width: D.
        dtype: of the stored vectors.
        kind: of the documents.
    """

    def __init__(self, path: Path, width: int, dtype: Dtype, kind: Kind = "dense") -> None:
        self.width, self.dtype, self.documents = width, dtype, 0
        self.vectors: int | None = None if kind == "dense" else 0
        self._ends: list[np.ndarray[Any, Any]] = []
        self._file = path.open("xb")
        self._file.write(bytes(START))

    def write(self, vectors: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any] | None = None) -> None:
        """Append (n, D) vectors of the file's type; where documents have several each, so many as `lengths` says."""
        assert vectors.shape[1:] == (self.width,)
        assert (lengths is None) == (self.vectors is None)
        self._file.write(np.ascontiguousarray(vectors, np.dtype(self.dtype).newbyteorder("<")).data)
        if self.vectors is None or lengths is None:
            self.documents += len(vectors)
            return
        assert int(lengths.sum()) == len(vectors)
        self._ends.append(self.vectors + lengths.cumsum())
        self.documents += len(lengths)
        self.vectors += len(vectors)

    def finish(self, keys: Iterable[np.ndarray[Any, Any]]) -> None:
        """Write the keys, in blocks of int64, and the header."""
        layout = Layout(self.documents, self.width, self.dtype, self.vectors)
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
        self._file.close()


class Packed:
    """A packed file, mapped into memory when first used.

    Args:
        place: where the index is.
        name: the file there.
        content: as committed, or None where it is not settled yet.
        documents: N, as committed.
        width: D, as committed.
        dtype: as committed.
        count: of the vectors, as committed, where documents have several each; else None.
    """

    def __init__(
        self,
        place: Place,
        name: str,
        content: Content | None,
        documents: int,
        width: int,
        dtype: Dtype,
        count: int | None = None,
    ) -> None:
        self.place, self.name, self.content = place, name, content
        self.documents, self.width, self.dtype, self.count = documents, width, dtype, count
        self._layout = Layout(documents, width, dtype, count)

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
    def vectors(self) -> Tensor:
        """(N, D), or (P, D) of documents with several vectors each, in the mapped memory."""
        return _tensor(self._bytes[START : START + self._layout.end].view(self.dtype).reshape(self._layout.shape))

    @cached_property
    def indptr(self) -> Tensor:
        """(N + 1,) int64: where each document's vectors begin, of documents with several.

        Raises:
            CorruptError: they do not follow each other up to the last vector.
        """
        start = len(self._bytes) - 16 * self.documents
        ends = _tensor(self._bytes[start : start + 8 * self.documents].view(np.int64))
        indptr = torch.cat([torch.zeros(1, dtype=torch.int64), ends])
        if (indptr.diff() < 1).any() or int(indptr[-1]) != self.count:
            raise self._damaged("documents whose vectors do not follow each other")
        return indptr

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64, in the mapped memory."""
        start = len(self._bytes) - 8 * self.documents
        return _tensor(self._bytes[start:].view(np.int64))

    def _damaged(self, got: str) -> CorruptError:
        return CorruptError(
            f"{self.name} in {self.place} is damaged or missing",
            expected=f"{self._layout.shape[0]:,} vectors of width {self.width} in {self.dtype}, with their keys",
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
