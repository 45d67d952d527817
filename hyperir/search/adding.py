"""Rows into an index, checked, encoded or with vectors of one's own, and out of it: `Index.add`, `update`, `delete`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor

from hyperir.core.docs import Dense, Multi, Sparse
from hyperir.core.errors import DuplicateIdError, InputError, StoreError, VectorError
from hyperir.core.interrupts import uninterrupted
from hyperir.core.progress import Progress
from hyperir.core.types import Encoder, Row
from hyperir.index.checks import check_rows
from hyperir.index.contents import check_metadata
from hyperir.index.filters import Filter
from hyperir.index.lookup import check_ids
from hyperir.index.schema import plain
from hyperir.index.store import Store
from hyperir.index.writer import Writer

__all__ = ["Encode", "add", "delete", "encoder", "length", "update"]

CHUNK = 4096  # rows checked together
LOOKED_FOR = 1 << 16  # rows looked for in the index together

Encode: TypeAlias = Callable[[Sequence[Row]], Tensor | Multi | Sparse]  # n documents -> (n, D), or (n,)


def encoder(model: Encoder[Any], batch_size: int) -> Encode:
    """What encodes documents as a model does, without a bar of its own."""

    def encode(rows: Sequence[Row]) -> Tensor | Multi | Sparse:
        made: Dense | Multi | Sparse = model.encode_document(rows, batch_size=batch_size, show_progress_bar=False)
        return made.vectors if isinstance(made, Dense) else made

    return encode


def add(
    store: Store,
    rows: Iterable[Row],
    vectors: Any,
    encode: Encode | None,
    *,
    piece: int,
    checkpoint: float | None,
    resume: bool,
    wait: float,
    bar: Progress,
) -> int:
    """Add rows; see `Index.add`.

    Args:
        store: the index.
        rows: the documents, streamed.
        vectors: (N, D) of one's own, or None where `encode` makes them.
        encode: makes vectors.
        piece: documents encoded and written together.
        checkpoint: seconds between two commits, where `encode` makes the vectors.
        resume: pass over rows whose ids the index has.
        wait: seconds to wait while another process writes.
        bar: advances by the rows that are done.

    Returns:
        How many were added.
    """
    if checkpoint is not None and not checkpoint >= 0:
        raise InputError("checkpoint counts seconds", expected="0 or more, or None", got=f"checkpoint = {checkpoint!r}")
    with store.writer(wait) as writer:
        base = store.refresh()  # under the lock: what the writer builds on
        if encode is not None and isinstance(rows, Sequence):
            _check_ahead(base, rows, piece)
            if not resume:
                _refuse_known(base, rows)
        with Checkpoints(writer, None if encode is None else checkpoint) as parts:
            place = 0
            for chunk, own in _chunks(rows, vectors, LOOKED_FOR if resume else CHUNK):
                check_rows(chunk, place)
                place += len(chunk)
                fresh, own = _fresh(base, chunk, own) if resume else (chunk, own)
                bar.advance(len(chunk) - len(fresh))
                for some, made in _pieces(fresh, own, encode, piece):
                    parts.append(some, made)
                    bar.advance(len(some))
            parts.finish()
        return writer.added


def update(
    store: Store,
    rows: Iterable[Row],
    vectors: Any,
    encode: Encode | None,
    *,
    piece: int,
    insert_missing: bool,
    wait: float,
    bar: Progress,
) -> int:
    """Replace rows by their ids, in one commit; see `Index.update`. The arguments are those of `add`.

    Returns:
        How many were replaced.
    """
    with store.writer(wait) as writer:
        if encode is not None and isinstance(rows, Sequence):
            base = store.refresh()
            _check_ahead(base, rows, piece)
            if not insert_missing:
                _refuse_unknown(base, rows)
        replaced, place, places = 0, 0, dict[str, int]()
        for chunk, own in _chunks(rows, vectors, CHUNK):
            check_rows(chunk, place, places)
            place += len(chunk)
            for some, made in _pieces(chunk, own, encode, piece):
                with uninterrupted():
                    replaced += writer.replace(some, made, insert_missing=insert_missing)
                bar.advance(len(some))
        return replaced


class Checkpoints:
    """Commits an add in parts: `with Checkpoints(writer, 300.0) as parts: parts.append(rows, vectors)`, then `finish`.

    Where the block ends with an exception, a note on that says how many rows are in. A Ctrl-C commits what there is.

    Args:
        writer: of the index.
        every: seconds between two commits; None commits only at the end, and all or nothing.
    """

    def __init__(self, writer: Writer, every: float | None) -> None:
        self._writer, self._every = writer, every
        self.committed = 0

    def __enter__(self) -> Self:
        self._last = time.monotonic()
        return self

    def append(self, rows: Sequence[Row], vectors: Any) -> None:
        """Add a batch, and commit where it is time."""
        with uninterrupted():
            self._writer.append(rows, vectors)
            if self._every is not None and time.monotonic() - self._last >= self._every:
                self._commit()

    def finish(self) -> None:
        """Commit the rest."""
        with uninterrupted():
            self._commit()

    def _commit(self) -> None:
        self._writer.checkpoint()
        self.committed, self._last = self._writer.added, time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, KeyboardInterrupt) and self._every is not None:
            with suppress(StoreError), uninterrupted():  # after a second Ctrl-C in a write: the last commit remains
                self._commit()
        if self.committed:
            are = (
                "document of this add is committed and stays"
                if self.committed == 1
                else ("documents of this add are committed and stay")
            )
            error.add_note(
                f"{self.committed:,} {are}. "
                "resume=True goes on after them; on the command line, the same command with --resume."
            )
        elif isinstance(error, KeyboardInterrupt):
            error.add_note("Nothing was added.")


def _check_ahead(base: Store, rows: Sequence[Row], piece: int) -> None:
    """Check all that can be checked of rows before they are encoded."""
    check_rows(rows, 0)
    check_metadata(base, rows, piece)


def _refuse_known(base: Store, rows: Sequence[Row]) -> None:
    positions = base.positions([row["id"] for row in rows])
    for number, place in enumerate(positions):
        if place >= 0:
            raise DuplicateIdError(
                f"row {number} of this add has the id {plain(rows[number]['id'])}, which the index has in row {place}",
                expected="new ids",
                got=f"{sum(place >= 0 for place in positions):,} of {len(rows):,} that are known",
                fix="`resume=True` passes over them, `update` replaces the old documents",
            )


def _refuse_unknown(base: Store, rows: Sequence[Row]) -> None:
    positions = base.positions([row["id"] for row in rows])
    if -1 in positions:
        number = positions.index(-1)
        raise InputError(
            f"row {number} of this update has the id {plain(rows[number]['id'])}, which the index does not have",
            expected="ids of documents that are there",
            got=f"{positions.count(-1):,} of {len(rows):,} that are not",
            fix="`insert_missing=True` (--insert-missing) adds them",
        )


def _chunks(rows: Iterable[Row], vectors: Any, size: int) -> Iterator[tuple[list[Row], Any]]:
    """Rows in chunks, each with its part of the vectors that were brought."""
    stream = iter(rows)
    place = 0
    while chunk := list(itertools.islice(stream, size)):
        own = None if vectors is None else vectors[place : place + len(chunk)]
        place += len(chunk)
        yield chunk, own
    if vectors is not None and len(vectors) != place:
        raise VectorError(
            "there must be one vector a document", expected=f"{place:,} vectors", got=f"{len(vectors):,} vectors"
        )


def _fresh(base: Store, chunk: list[Row], own: Any) -> tuple[list[Row], Any]:
    """The rows whose ids the index does not have, with their vectors."""
    positions = base.positions([row["id"] for row in chunk])
    fresh = [number for number, place in enumerate(positions) if place < 0]
    # Another number of vectors than of rows is refused where they are written.
    matching = own is not None and len(own) == len(chunk)
    if isinstance(own, (Multi, Sparse)):
        return [chunk[number] for number in fresh], own[torch.tensor(fresh, dtype=torch.int64)] if matching else own
    return [chunk[number] for number in fresh], own[fresh] if matching else own


def _pieces(rows: list[Row], own: Any, encode: Encode | None, piece: int) -> Iterator[tuple[list[Row], Any]]:
    """Rows with their vectors, in the pieces in which they are written."""
    if encode is None:
        yield rows, own
        return
    for start in range(0, len(rows), piece):
        some = rows[start : start + piece]
        yield some, encode(some)


def delete(store: Store, ids: Iterable[str], where: str | Filter | None, missing_ok: bool, wait: float) -> int:
    """Delete documents by ids or by a filter, in one commit; see `Index.delete`."""
    wanted = check_ids(ids)
    if wanted and where is not None:
        raise InputError("what is deleted?", expected="ids, or a filter", got="both")
    with store.writer(wait) as writer:
        if where is not None:
            newest = store.refresh()
            passing = newest.allowed(where)
            wanted = [] if passing is None else newest.ids(passing.nonzero()[:, 0].tolist())
        return writer.delete(wanted, missing_ok=missing_ok)


def length(rows: Iterable[Row]) -> int | None:
    """How many rows there are, where that is known before they are read."""
    return len(rows) if isinstance(rows, Sequence) else None
