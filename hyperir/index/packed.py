"""Packed vectors: one immutable safetensors file with `vectors` (N, D) and `keys` (N,), read without a copy."""

from __future__ import annotations

import json
import mmap
import struct
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperir.core.errors import CorruptError
from hyperir.index.commit import Commit, Dtype, Generation
from hyperir.index.place import Content, Place

__all__ = ["FILE", "Packed", "PackedWriter", "packed_files"]

FILE = "vectors.safetensors"
START = 512  # where the tensors begin: the header is padded to it, for it is written last and vectors like alignment
NAMES = {"float32": "F32", "float16": "F16"}


def _padding(documents: int, width: int, dtype: Dtype) -> int:
    return -documents * width * np.dtype(dtype).itemsize % 8


def _header(documents: int, width: int, dtype: Dtype) -> bytes:
    """The file's first `START` bytes. Where the keys would not be aligned, a `padding` stands before them."""
    end = documents * width * np.dtype(dtype).itemsize
    record: dict[str, Any] = {
        "__metadata__": {"format": "pt", "hyperir": "packed 1"},
        "vectors": {"dtype": NAMES[dtype], "shape": [documents, width], "data_offsets": [0, end]},
    }
    if gap := _padding(documents, width, dtype):
        record["padding"] = {"dtype": "U8", "shape": [gap], "data_offsets": [end, end + gap]}
        end += gap
    record["keys"] = {"dtype": "I64", "shape": [documents], "data_offsets": [end, end + 8 * documents]}
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    assert len(text) <= START - 8
    return struct.pack("<Q", START - 8) + text.ljust(START - 8)


class PackedWriter:
    """Writes a packed file block by block; the header is filled in last.

    Args:
        path: a file that does not exist.
        width: D.
        dtype: of the stored vectors.
    """

    def __init__(self, path: Path, width: int, dtype: Dtype) -> None:
        self.width, self.dtype, self.documents = width, dtype, 0
        self._file = path.open("xb")
        self._file.write(bytes(START))

    def write(self, vectors: np.ndarray[Any, Any]) -> None:
        """Append (n, D) vectors of the file's type."""
        assert vectors.shape[1:] == (self.width,)
        self._file.write(np.ascontiguousarray(vectors, np.dtype(self.dtype).newbyteorder("<")).data)
        self.documents += len(vectors)

    def finish(self, keys: Iterable[np.ndarray[Any, Any]]) -> None:
        """Write the keys, in blocks of int64, and the header."""
        self._file.write(bytes(_padding(self.documents, self.width, self.dtype)))
        for block in keys:
            self._file.write(np.ascontiguousarray(block, "<i8").data)
        end = self._file.tell()
        self._file.seek(0)
        self._file.write(_header(self.documents, self.width, self.dtype))
        self.close()
        gap = _padding(self.documents, self.width, self.dtype)
        assert end == START + self.documents * (self.width * np.dtype(self.dtype).itemsize + 8) + gap

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
    """

    def __init__(
        self, place: Place, name: str, content: Content | None, documents: int, width: int, dtype: Dtype
    ) -> None:
        self.place, self.name, self.content = place, name, content
        self.documents, self.width, self.dtype = documents, width, dtype

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
        end = START + self.documents * (self.width * np.dtype(self.dtype).itemsize + 8)
        end += _padding(self.documents, self.width, self.dtype)
        if len(mapped) != end or mapped[:START] != _header(self.documents, self.width, self.dtype):
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
        """(N, D), in the mapped memory."""
        end = START + self.documents * self.width * np.dtype(self.dtype).itemsize
        return _tensor(self._bytes[START:end].view(self.dtype).reshape(self.documents, self.width))

    @cached_property
    def keys(self) -> Tensor:
        """(N,) int64, in the mapped memory."""
        start = len(self._bytes) - 8 * self.documents
        return _tensor(self._bytes[start:].view(np.int64))

    def _damaged(self, got: str) -> CorruptError:
        return CorruptError(
            f"{self.name} in {self.place} is damaged or missing",
            expected=f"{self.documents:,} vectors of width {self.width} in {self.dtype}, with their keys",
            got=got,
            fix=f'"hyperir verify {self.place}" lists everything that is damaged',
        )


def packed_files(place: Place, commit: Commit, generations: Sequence[Generation] | None = None) -> list[Packed]:
    """The packed files of a commit in row order, or of generations that are written on top of it."""
    parts = commit.generations if generations is None else generations
    records = ((part, commit.files.get(part.file)) for part in parts)
    return [
        Packed(place, part.file, record.content if record else None, part.documents, commit.width, commit.dtype)
        for part, record in records
    ]


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():  # torch warns of arrays that cannot be written; nobody writes into an index
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
