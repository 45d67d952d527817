"""The rows of an index as they are stored: streamed out of it, and what new ones have to fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hyperir.core.types import Row
from hyperir.index.before import VECTOR
from hyperir.index.filters import Filter
from hyperir.index.kinds import KINDS
from hyperir.index.schema import encode, infer
from hyperir.index.store import Store

__all__ = ["check_metadata", "contents", "kinds_of"]

BLOCK = 8192  # rows checked at once


def contents(store: Store, columns: Sequence[str], where: str | Filter | None = None) -> Iterator[Any]:
    """The documents, without the deleted ones, in their order, as Arrow record batches.

    Args:
        store: the index.
        columns: by their names in the table.
        where: only documents that pass this filter.

    Raises:
        StoreError: a writer gave this commit up.
    """
    import pyarrow as pa

    allowed, start = store.allowed(where), 0
    with store._retained():
        for batch in store._rows.scan(list(columns), batch=KINDS[store.kind].batch if VECTOR in columns else BLOCK):
            kept = batch
            if allowed is not None:
                kept = batch.filter(pa.array(allowed[start : start + len(batch)].numpy()))
            start += len(batch)
            if len(kept):
                yield kept


def kinds_of(store: Store) -> dict[str, Any]:
    """The Arrow types of an index's columns, by their names in the table; empty before the first row."""
    if not store.commit.lance_version:
        return {}
    with store._retained():
        return {field.name: field.type for field in store._rows.dataset.schema}


def check_metadata(store: Store, rows: Sequence[Row], first: int) -> None:
    """Refuse metadata that an add would refuse, before anything is written.

    Args:
        store: the index.
        rows: the documents.
        first: how many of them are written first; those fix the columns of an index without rows.

    Raises:
        InputError: a column that the index does not have, or a value of another type; names the row.
    """
    columns, kinds = store.commit.metadata, kinds_of(store)
    if columns is None:
        columns, kinds = infer(rows[:first])
    for start in range(0, len(rows), BLOCK):
        encode(rows[start : start + BLOCK], columns, kinds, start)
