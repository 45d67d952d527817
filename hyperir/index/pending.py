"""Rows of an add that is not committed: in memory first, then in files that nobody sees yet."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperir.core.types import Row
from hyperir.index import table
from hyperir.index.commit import Column, Generation
from hyperir.index.draft import Draft
from hyperir.index.kinds import KINDS, Block
from hyperir.index.packed import FILE, PackedWriter
from hyperir.index.schema import arrow_schema, encode, infer
from hyperir.index.table import RowTable

__all__ = ["Pending"]

BUFFER = 64 << 20  # bytes of rows kept in memory before they become a data file
BLOCK = 1 << 17  # keys made at once


@dataclass(frozen=True)
class _Ready:
    """Rows ready to be written."""

    rows: Any  # an Arrow table
    docs: Block
    columns: tuple[Column, ...]
    empty: list[int]  # keys of those without text


class Pending:
    """Rows to come behind those of a draft.

    Args:
        draft: what they are added to.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.columns = draft.metadata
        self.added = 0
        self.empty: set[int] = set()  # keys of rows without text
        self._rows = RowTable(draft.place, draft.version)
        self._schema: Any = None
        self._fragments: list[Any] = []
        self._buffer: list[Any] = []
        self._packed: PackedWriter | None = None
        self._name = f"ann/{uuid.uuid4().hex}/{FILE}"

    def prepare(self, rows: Sequence[Row], docs: Block, place: int) -> _Ready:
        """Turn checked rows and their documents into what is written; nothing changes yet.

        Args:
            rows: as users give them.
            docs: (len(rows),) of the index's kind and type.
            place: of `rows[0]` in this add, for errors.

        Raises:
            InputError: metadata that does not fit.
        """
        import pyarrow as pa

        base = self._draft.base
        if self.columns is None:
            columns, kinds = infer(rows)
            schema = arrow_schema(kinds, KINDS[base.kind].arrow_type(base.width, base.dtype))
        else:
            columns, schema = self.columns, self._known_schema()
        first = self._draft.next_key + self.added
        # The block may stay in the buffer after the caller has reused his arrays.
        own = KINDS[base.kind].to_arrow(docs.copied())
        values = {
            "key": pa.array(np.arange(first, first + len(rows))),
            "id": pa.array([row["id"] for row in rows], pa.string()),
            "title": pa.array([row.get("title") for row in rows], pa.string()),
            "text": pa.array([row["text"] for row in rows], pa.string()),
            **encode(rows, columns, {field.name: field.type for field in schema}, place),
            "vector": own,
        }
        return _Ready(
            rows=pa.table([values[name] for name in schema.names], schema=schema),
            docs=docs,
            columns=columns,
            empty=[first + number for number, row in enumerate(rows) if not row["text"].strip()],
        )

    def _known_schema(self) -> Any:
        if self._schema is None:
            self._schema = self._table().dataset.schema
        return self._schema

    def _table(self) -> RowTable:
        """The table as the draft has it now: opened once for every version."""
        if self._rows.version != self._draft.version:
            self._rows = RowTable(self._draft.place, self._draft.version)
        return self._rows

    def write(self, block: _Ready) -> None:
        """Add a prepared block."""
        draft = self._draft
        if self._packed is None:
            base = draft.base
            self._packed = PackedWriter(draft.place.begin(self._name), base.width, base.dtype, base.kind)
        self._packed.write(block.docs)
        self.columns, self._schema = block.columns, block.rows.schema
        self._buffer.append(block.rows)
        if sum(part.nbytes for part in self._buffer) >= BUFFER:
            self._flush()
        self.added += len(block.rows)
        self.empty.update(block.empty)

    def _flush(self) -> None:
        import pyarrow as pa

        block = pa.concat_tables(self._buffer)
        self._fragments += table.append_fragments(self._table(), block)
        self._buffer.clear()

    def ids(self) -> Iterator[Any]:
        """All ids added so far, in order, as Arrow arrays."""
        for fragment in self._fragments:
            yield from table.ids_of_fragment(self._draft.place, fragment)
        for block in self._buffer:
            yield from block["id"].chunks

    def finish(self) -> None:
        """Write what is left and make all of it part of the draft."""
        if self._packed is None:
            return
        draft = self._draft
        if self._buffer:
            self._flush()
        end = draft.next_key + self.added
        starts = range(draft.next_key, end, BLOCK)
        self._packed.finish(np.arange(start, min(start + BLOCK, end)) for start in starts)
        draft.version = table.append(self._table(), self._fragments, self._schema)
        draft.generations = (
            *draft.generations,
            Generation(file=self._name, documents=self.added, vectors=self._packed.count),
        )
        draft.next_key = end
        draft.empty_texts += len(self.empty)
        draft.metadata = self.columns

    def close(self) -> None:
        """Let go of the file that is being written."""
        if self._packed is not None:
            with suppress(OSError):  # a full disk: closing writes what is still buffered
                self._packed.close()
