"""Appending to an index: any number of batches, then one commit."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hyperir.core.errors import CorruptError, DuplicateIdError, StoreError
from hyperir.core.types import Row
from hyperir.index import commit as commits
from hyperir.index import durable, table
from hyperir.index.checks import check_rows, check_vectors
from hyperir.index.clean import clean
from hyperir.index.commit import MANIFESTS, TRANSACTIONS, Column, Commit, FileRecord, Generation
from hyperir.index.identity import KnownIds, hash_ids
from hyperir.index.lock import exclusive
from hyperir.index.packed import FILE, PackedWriter
from hyperir.index.schema import arrow_schema, encode, infer, plain
from hyperir.index.table import RowTable

__all__ = ["Writer", "writing"]

BUFFER = 64 << 20  # bytes of rows kept in memory before they become a data file
BLOCK = 1 << 17  # keys made at once
FAILURES = (OSError, RuntimeError)  # of the disk: ours, and Lance's where it wraps them


@contextmanager
def writing(root: Path, wait: float = 0.0) -> Iterator[Writer]:
    """Hold the lock, clear what a crash left, and commit at the end what the writer was given.

    On any exception nothing is committed and what was written is removed.
    """
    with exclusive(root, wait):
        newest = commits.newest(root)
        if newest is None:
            raise CorruptError(f"{root} has no commit", fix="restore commits/ from a copy, or make the index again")
        commits.check_files(root, newest)
        with _disk(root):
            clean(root, newest)
        writer = Writer(root, newest)
        try:
            yield writer
            writer.commit()
        except BaseException:
            writer.abandon()
            raise


@contextmanager
def _disk(root: Path) -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        raise StoreError(
            f"writing to {root} failed",
            got=str(error),
            fix="free some space on the disk or check it, then add the documents again; the index is as it was before",
        ) from error


class Writer:
    """Adds documents to an index; made by `Store.writer()`.

    Args:
        root: the index folder, locked by this process.
        base: the newest commit.
    """

    def __init__(self, root: Path, base: Commit) -> None:
        self.root, self.base = root, base
        self.added = 0
        self.empty_texts = 0
        self._broken = False
        self._known: KnownIds | None = None
        self._rows = RowTable(root, base.lance_version)
        self._columns: tuple[Column, ...] | None = base.metadata
        self._schema: Any = None
        self._fragments: list[Any] = []
        self._buffer: list[Any] = []
        self._packed: PackedWriter | None = None
        self._packed_name = f"ann/{uuid.uuid4().hex}/{FILE}"

    def append(self, rows: Sequence[Row], vectors: Tensor | np.ndarray[Any, Any]) -> None:
        """Add a batch. Everything is checked first: an error of the input leaves the add as it was, and it can go on.

        Args:
            rows: {"id", "text", "title"?, ...metadata}.
            vectors: (len(rows), D), floating point.

        Raises:
            InputError: a row that cannot be stored; names it.
            VectorError: vectors of another shape or type, or not finite.
            DuplicateIdError: an id that is in the index or in this add already.
            StoreError: the disk failed; this add cannot go on.
        """
        if self._broken:
            raise StoreError(f"an earlier write to {self.root} failed", fix="start the add again")
        check_rows(rows, self.added)
        stored = check_vectors(vectors, rows, self.base.width, self.base.dtype)
        if not rows:
            return
        hashes = hash_ids(row["id"] for row in rows)
        self._check_new(rows, hashes)
        columns, schema = self._shape(rows)
        block = self._arrow(rows, stored, columns, schema)

        self._broken = True  # until all of it is written
        with _disk(self.root):
            if self._packed is None:
                (self.root / self._packed_name).parent.mkdir(parents=True)
                self._packed = PackedWriter(self.root / self._packed_name, self.base.width, self.base.dtype)
            self._packed.write(stored)
            self._columns, self._schema = columns, schema
            self._buffer.append(block)
            if sum(part.nbytes for part in self._buffer) >= BUFFER:
                self._flush()
        self._known_ids.add(hashes)
        self.added += len(rows)
        self.empty_texts += sum(not row["text"].strip() for row in rows)
        self._broken = False

    def _shape(self, rows: Sequence[Row]) -> tuple[tuple[Column, ...], Any]:
        """The metadata columns and the table's schema: of this add, of the index, or from these first rows."""
        if self._columns is None:
            columns, kinds = infer(rows)
            return columns, arrow_schema(kinds, self.base.width, self.base.dtype)
        return self._columns, self._schema if self._schema is not None else self._rows.dataset.schema

    def _arrow(
        self, rows: Sequence[Row], vectors: np.ndarray[Any, Any], columns: tuple[Column, ...], schema: Any
    ) -> Any:
        import pyarrow as pa

        first = self.base.next_key + self.added
        # The block may stay in the buffer after the caller has reused his arrays.
        flat = pa.array(np.array(vectors, order="C").reshape(-1))
        values = {
            "key": pa.array(np.arange(first, first + len(rows))),
            "id": pa.array([row["id"] for row in rows], pa.string()),
            "title": pa.array([row.get("title") for row in rows], pa.string()),
            "text": pa.array([row["text"] for row in rows], pa.string()),
            **encode(rows, columns, {field.name: field.type for field in schema}, self.added),
            "vector": pa.FixedSizeListArray.from_arrays(flat, self.base.width),
        }
        return pa.table([values[name] for name in schema.names], schema=schema)

    @property
    def _known_ids(self) -> KnownIds:
        if self._known is None:
            self._known = KnownIds()
            for batch in self._rows.scan(["id"]):
                self._known.add(hash_ids(batch.column(0).to_pylist()))
        return self._known

    def _check_new(self, rows: Sequence[Row], hashes: np.ndarray[Any, Any]) -> None:
        suspects = self._known_ids.suspects(hashes)
        if not suspects.any():
            return
        # Equal hashes: duplicates, or one chance in billions. The ids themselves decide.
        wanted = {rows[i]["id"]: self.added + i for i in suspects.nonzero()[0].tolist()}
        for where, ids in self._all_ids():
            for place, id_ in enumerate(ids):
                if id_ in wanted:
                    raise DuplicateIdError(
                        f"the id {plain(id_)} is already {where[0]} {where[1] + place}{where[2]}; "
                        f"it comes again as row {wanted[id_]} of this add",
                        expected="one row for an id",
                        fix="leave the row out, or delete the old one first",
                    )

    def _all_ids(self) -> Iterator[tuple[tuple[str, int, str], list[str]]]:
        place = 0
        for batch in self._rows.scan(["id"]):
            ids = batch.column(0).to_pylist()
            yield ("row", place, " of the index"), ids
            place += len(ids)
        place = 0
        for ids in self._ids_of_this_add():
            yield ("row", place, " of this add"), ids
            place += len(ids)

    def _ids_of_this_add(self) -> Iterator[list[str]]:
        for fragment in self._fragments:
            yield table.ids_of_fragment(self.root, fragment)
        for block in self._buffer:
            yield block["id"].to_pylist()

    def _flush(self) -> None:
        import pyarrow as pa

        block = pa.concat_tables(self._buffer)
        self._fragments += table.append_fragments(self.root, self.base.lance_version, block)
        self._buffer.clear()

    def commit(self) -> None:
        """Make the add durable and visible. Called by `writing`; an add without rows leaves the index as it is."""
        if self._broken:
            raise StoreError(f"an earlier write to {self.root} failed", fix="start the add again")
        if self._packed is None:
            return
        with _disk(self.root):
            if self._buffer:
                self._flush()
            base, end = self.base, self.base.next_key + self.added
            starts = range(base.next_key, end, BLOCK)
            self._packed.finish(np.arange(start, min(start + BLOCK, end)) for start in starts)
            new = table.publish_fragments(self.root, base.lance_version, self._fragments, self._schema)
            new.append(self._packed_name)
            durable.sync_all(self.root, new)
            kept = {n: r for n, r in base.files.items() if not n.startswith((MANIFESTS, TRANSACTIONS))}
            update = {
                "number": base.number + 1,
                "parent": base.number,
                "created": commits.now(),
                "lance_version": base.lance_version + 1,
                "documents": base.documents + self.added,
                "next_key": end,
                "empty_texts": base.empty_texts + self.empty_texts,
                "metadata": self._columns,
                "generations": (*base.generations, Generation(file=self._packed_name, documents=self.added)),
                "files": kept | {name: _record(self.root / name) for name in new},
            }
            commits.publish(self.root, Commit(**{**dict(base), **update}))

    def abandon(self) -> None:
        """Remove what was written. Where that fails too, the next writer does it."""
        if self._packed is not None:
            with suppress(OSError):  # a full disk: closing writes what is still buffered
                self._packed.close()
        with suppress(OSError, StoreError):
            newest = commits.newest(self.root)
            if newest is not None:
                clean(self.root, newest)


def _record(path: Path) -> FileRecord:
    return FileRecord(size=path.stat().st_size, sha256=durable.sha256_of(path))
