"""Changing an index: any number of adds, deletions and replacements, then one commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from hyperir.core.docs import Multi, Sparse
from hyperir.core.errors import CorruptError, DuplicateIdError, InputError, StoreError
from hyperir.core.types import Row
from hyperir.index import commit as commits
from hyperir.index import fitted, structures
from hyperir.index.checks import check_rows
from hyperir.index.clean import clean, has_newer
from hyperir.index.columns import check_columns, index_column
from hyperir.index.commit import Commit, Fitted, Structure
from hyperir.index.draft import Draft
from hyperir.index.ids import Taken, TakenIds
from hyperir.index.kinds import KINDS, Block
from hyperir.index.lookup import check_ids
from hyperir.index.merge import full, merge_from, sizes_of, smaller
from hyperir.index.pending import Pending
from hyperir.index.place import Hold, Place
from hyperir.index.schema import plain
from hyperir.index.table import RowTable
from hyperir.index.tombstones import Keys

__all__ = ["Writer", "disk", "fenced", "locked", "writing"]

NAMED = 5  # ids named in an error
BATCH = 8192  # texts read at once
FAILURES = (OSError, RuntimeError)  # of the disk: ours, and Lance's where it wraps them

Vectors: TypeAlias = Tensor | np.ndarray[Any, Any] | Multi | Sparse


@contextmanager
def locked(place: Place, wait: float = 0.0) -> Iterator[tuple[Commit, Hold]]:
    """Hold the lock, with the newest commit and nothing that a crash left."""
    with place.lock(wait) as held:
        newest = fenced(place, held)
        commits.check_files(place, newest)
        if held.dirty or has_newer(place, newest):
            with disk(place):
                held.dirty = not clean(place, newest)
        yield newest, held


def fenced(place: Place, held: Hold) -> Commit:
    """The newest commit, which no earlier writer can add to any more.

    Raises:
        CorruptError: there is none, or it is damaged.
    """
    while True:
        newest = commits.newest(place)
        if newest is None:
            raise CorruptError(f"{place} has no commit", fix="restore commits/ from a copy, or make the index again")
        if not held.taken_over:
            return newest
        # A writer that lost its lock may wake up. Its commit has the next number, which is taken away from it.
        update = {"number": newest.number + 1, "parent": newest.number, "created": commits.now()}
        with suppress(FileExistsError):  # it was faster, and its commit stands
            commits.publish(place, newest.model_copy(update={**update, "change": "took over the lock"}))
            held.fenced()


@contextmanager
def writing(place: Place, wait: float = 0.0) -> Iterator[Writer]:
    """Commit at the end what the writer was given. On any exception nothing since its last checkpoint is committed."""
    with locked(place, wait) as (newest, held):
        writer = Writer(place, newest)
        try:
            yield writer
            writer.checkpoint()
        except BaseException:
            held.dirty = True
            with suppress(StoreError):  # the lock then says so, and the next writer does it
                held.dirty = not writer.abandon()
            raise


@contextmanager
def disk(place: Place) -> Iterator[None]:
    """Name what fails on the disk."""
    try:
        yield
    except FAILURES as error:
        raise StoreError(
            f"writing to {place} failed",
            got=str(error),
            fix="free some space on the disk or check it, then do it again; the index is as it was last committed",
        ) from error


class Writer:
    """Changes an index; made by `Store.writer()`.

    Args:
        place: where the index is, locked by this process.
        base: the newest commit.
    """

    def __init__(self, place: Place, base: Commit) -> None:
        self.place = place
        self.added = 0  # rows in all, those of `replace` included
        self._broken = False
        self._begin(base)

    def _begin(self, base: Commit, dead: Keys | None = None) -> None:
        self.base = base
        self._draft = Draft.of(self.place, base, dead)
        self._pending = Pending(self._draft)
        self._rows = RowTable(self.place, base.lance_version, base.files)
        self._taken = TakenIds(self._rows, base, self._pending, self.added)
        self._to_index: tuple[str, ...] = ()
        self._made: tuple[tuple[structures.Made, Structure | None], ...] = ()
        self._gone: tuple[Structure, ...] = ()
        self._fitted: tuple[Fitted, ...] | None = None
        self._change = ""

    def append(self, rows: Sequence[Row], vectors: Vectors) -> None:
        """Add a batch. Everything is checked first: an error of the input leaves the add as it was, and it can go on.

        Args:
            rows: {"id", "text", "title"?, ...metadata}.
            vectors: (len(rows), D), floating point; or `Multi`, or `Sparse`, as the index holds.

        Raises:
            InputError: a row that cannot be stored; names it.
            VectorError: vectors of another shape or type, or not finite.
            DuplicateIdError: an id that is in the index or in this add already.
            StoreError: the disk failed; this add cannot go on.
        """
        stored = self._checked(rows, vectors)
        if not rows:
            return
        ids = [row["id"] for row in rows]
        if (suspects := self._taken.suspects(ids)) and (taken := self._find(suspects)):
            id_ = next(id_ for id_ in ids if id_ in taken)
            raise DuplicateIdError(
                f"the id {plain(id_)} is already {taken[id_].where}; "
                f"it comes again as row {self.added + ids.index(id_)} of this add",
                expected="one row for an id",
                fix="leave it out, replace the old one by an update, or pass over it: resume=True, --resume",
            )
        self._insert(rows, stored, ids)

    def replace(self, rows: Sequence[Row], vectors: Vectors, *, insert_missing: bool = False) -> int:
        """Put rows in place of those with the same ids: everything of a row is new, and it moves to the end.

        Args:
            rows: as for `append`.
            vectors: as for `append`.
            insert_missing: add rows whose ids the index does not have, which else is an error.

        Returns:
            How many rows were replaced.

        Raises:
            InputError: an id that the index does not have, or a row that cannot be stored.
            VectorError, StoreError: as for `append`.
        """
        stored = self._checked(rows, vectors)
        if not rows:
            return 0
        ids = [row["id"] for row in rows]
        taken = self._find(self._taken.suspects(ids))
        if not insert_missing:
            self._refuse_missing(ids, taken, "insert_missing=True (--insert-missing) adds them")
        self._insert(rows, stored, ids)
        self._bury(taken.values())
        return len(taken)

    def delete(self, ids: Iterable[str], *, missing_ok: bool = False) -> int:
        """Delete documents by their ids, which may be added again later.

        Args:
            ids: which; a repeated one counts once.
            missing_ok: pass over ids that the index does not have, which else is an error.

        Returns:
            How many were deleted.

        Raises:
            InputError: an id that the index does not have, or a bare string; nothing was deleted.
        """
        self._check_usable()
        wanted = check_ids(ids)
        taken = self._find(wanted) if wanted else {}
        if not missing_ok:
            self._refuse_missing(wanted, taken, "missing_ok=True (--missing-ok) passes over them")
        self._bury(taken.values())
        return len(taken)

    def index_columns(self, names: Iterable[str]) -> None:
        """Give columns a scalar index, so that filters over them need not read every row.

        It covers the rows of this commit; rows of later ones are read, until this is called again or the index is
        compacted.

        Args:
            names: of metadata columns that hold numbers, strings, dates, times or booleans; or "id".

        Raises:
            InputError: a column that the index does not have or that cannot be indexed.
        """
        self._check_usable()
        checked = check_columns(names, self._pending.columns)
        self._to_index = tuple(dict.fromkeys((*self._to_index, *checked)))

    def keep_structure(self, made: structures.Made, instead: Structure | None = None) -> None:
        """Keep a search structure with the index.

        Args:
            made: what was built, of this commit or an older one.
            instead: a structure of this commit whose place it takes; else it is the newest.
        """
        self._check_usable()
        self._made = (*self._made, (made, instead))

    def drop_structures(self, gone: Iterable[Structure]) -> None:
        """Give up search structures of this commit; older commits keep theirs."""
        self._check_usable()
        self._gone = (*self._gone, *gone)

    def keep_fitted(self, folder: Path, told: str) -> None:
        """Keep a model with the index, whose relevance function searches then use. Its files are copied now.

        Args:
            folder: of the model, with all that is to be kept of it.
            told: what it is, in words; the commit says it as well.
        """
        self._check_usable()
        with disk(self.place):
            kept = fitted.copy(self.place, folder, told)
        self._fitted = (*(self.base.fitted if self._fitted is None else self._fitted), kept)
        self._change = told

    def undo_fitted(self) -> Fitted:
        """Give up the fitted relevance function in use, so that the one before it is used again.

        Raises:
            InputError: there is none.
        """
        self._check_usable()
        before = self.base.fitted if self._fitted is None else self._fitted
        if not before:
            raise fitted.nothing_to_undo(self.place)
        self._fitted = before[:-1]
        self._change = f"undone: {before[-1].told}"
        return before[-1]

    def checkpoint(self) -> Commit:
        """Commit what there is and go on. What is committed stays, whatever comes later.

        Returns:
            the newest commit, which is the old one where nothing changed.
        """
        self._check_usable()
        draft, pending = self._draft, self._pending
        changed = not np.array_equal(draft.dead, draft.base_dead)
        refitted = self._fitted is not None
        if not (pending.added or changed or self._to_index or self._made or self._gone or refitted):
            return self.base
        self._broken = True  # until it is committed
        with disk(self.place):
            if pending.added:
                merge_from(draft, smaller(sizes_of(draft), pending.added))
                pending.finish()
                merge_from(draft, full(sizes_of(draft)))
            for name in self._to_index:
                index_column(draft, name)
            structures.without(draft, self._gone)
            for made, instead in self._made:
                structures.keep(draft, made, instead)
            draft.fitted = draft.fitted if self._fitted is None else self._fitted
            commit = draft.publish(self._said())
        self._taken.committed(commit)
        self._begin(commit, draft.dead)
        self._broken = False
        return commit

    def _said(self) -> str:
        """What this commit does, in words."""
        base, added = self.base, self._pending.added
        deleted = base.documents + added - (self._draft.stored - len(self._draft.dead))
        parts = [f"added {added:,}"] * (added > 0) + [f"deleted {deleted:,}"] * (deleted > 0)
        parts += [f"indexed {name!r}" for name in self._to_index] + [f"built {made.type}" for made, _ in self._made]
        dropped = {structure.type for structure in self._gone} - {made.type for made, _ in self._made}
        parts += [f"dropped {name}" for name in sorted(dropped)]
        return ", ".join([*parts, *[self._change] * bool(self._change)])

    def abandon(self) -> bool:
        """Remove what was written since the last commit.

        Returns:
            whether all of it is gone.

        Raises:
            StoreError: that failed.
        """
        self._pending.close()
        newest = commits.newest(self.place)
        with disk(self.place):
            return newest is not None and clean(self.place, newest)

    def _check_usable(self) -> None:
        if self._broken:
            raise StoreError(
                f"an earlier write to {self.place} failed", fix="start again; the index is as it was last committed"
            )

    def _checked(self, rows: Sequence[Row], vectors: Vectors) -> Block:
        self._check_usable()
        check_rows(rows, self.added)
        return KINDS[self.base.kind].checked(vectors, rows, self.base.width, self.base.dtype)

    def _find(self, ids: Sequence[str]) -> dict[str, Taken]:
        return self._taken.find(ids, self._draft.dead) if ids else {}

    def _refuse_missing(self, ids: Sequence[str], taken: dict[str, Taken], fix: str) -> None:
        missing = [id_ for id_ in ids if id_ not in taken]
        if missing:
            named = ", ".join(plain(id_) for id_ in missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
            raise InputError(
                f"{len(missing):,} of {len(ids):,} ids are not in the index",
                expected="ids of documents that are there",
                got=named,
                fix=fix,
            )

    def _insert(self, rows: Sequence[Row], stored: Block, ids: Sequence[str]) -> None:
        block = self._pending.prepare(rows, stored, self.added)
        self._broken = True  # until all of it is written
        with disk(self.place):
            self._pending.write(block)
        self._taken.add(ids)
        self.added += len(rows)
        self._broken = False

    def _bury(self, taken: Iterable[Taken]) -> None:
        keys = np.sort(np.fromiter((row.key for row in taken), np.int64))
        self._broken = True  # until all of them are
        own = keys[keys >= self.base.next_key].tolist()
        self._pending.empty.difference_update(own)
        if self.base.empty_texts:
            self._draft.empty_texts -= self._empty_among(keys[keys < self.base.next_key])
        self._draft.dead = np.union1d(self._draft.dead, keys)
        self._broken = False

    def _empty_among(self, keys: Keys) -> int:
        """How many rows of the index, by their keys, have no text."""
        places = np.searchsorted(self._taken.keys, keys)
        found = 0
        for start in range(0, len(places), BATCH):
            texts = self._rows.take(places[start : start + BATCH].tolist(), ["text"])["text"].to_pylist()
            found += sum(not text.strip() for text in texts)
        return found
