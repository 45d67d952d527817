"""Compaction: live rows are written again in one piece, under their old keys, and old snapshots are given up."""

from __future__ import annotations

from contextlib import suppress

from hyperir.core.errors import InputError, StoreError
from hyperir.index import commit as commits
from hyperir.index import table
from hyperir.index.clean import clean
from hyperir.index.columns import index_column
from hyperir.index.commit import Commit
from hyperir.index.draft import Draft
from hyperir.index.merge import copy_live, replace
from hyperir.index.place import Place
from hyperir.index.table import RowTable
from hyperir.index.writer import disk, locked

__all__ = ["compact"]

SLACK = 1 << 20  # bytes of manifests, headers and folders


def compact(place: Place, keep: int = 1, wait: float = 0.0) -> Commit:
    """Write all live rows again, streamed; then give up the snapshots before.

    Keys and the order of rows stay, so that results stay. Scalar indices are made anew and cover every row.

    Args:
        place: where the index is.
        keep: commits that stay, the new one included; every one more keeps files that only it needs.
        wait: seconds to wait while another process writes.

    Raises:
        InputError: keep < 1.
        StoreError: the disk has no room for the copy, or failed; the index is as it was.
        LockedError: another process writes.
    """
    if keep < 1:
        raise InputError("compaction keeps at least the newest commit", expected="keep >= 1", got=f"keep = {keep}")
    with locked(place, wait) as (base, held):
        held.dirty = True  # until it is done
        try:
            _check_room(place, base)
            with disk(place):
                commit = _compacted(place, base, keep)
        finally:
            with suppress(StoreError), disk(place):  # the lock then says so, and the next writer does it
                held.dirty = not clean(place, commits.newest(place) or base)
        return commit


def _compacted(place: Place, base: Commit, keep: int) -> Commit:
    import lance

    draft = Draft.of(place, base)
    if base.lance_version:
        rows = RowTable(place, base.lance_version, base.files)
        fragments, generation = copy_live(draft, rows, rows.fragments(0, base.stored), base.generations)
        change = lance.LanceOperation.Overwrite(rows.dataset.schema, fragments)
        draft.version = table.publish(rows, change)
        replace(draft, 0, generation)
        for name in base.indexed:
            index_column(draft, name)
    return draft.publish("compacted", keep=keep)


def _check_room(place: Place, base: Commit) -> None:
    """Refuse to begin what the disk cannot hold: the copy stands beside the old files until it is committed."""
    share = base.documents / base.stored if base.stored else 0.0
    need = round(sum(record.size for record in base.files.values()) * share) + SLACK
    free = place.free()
    if free is not None and free < need:
        raise StoreError(
            f"there is no room to compact {place}",
            expected=f"{need:,} bytes free on the disk, for a copy of what is alive",
            got=f"{free:,} bytes free",
            fix="free some space, or move the index to a larger disk; nothing was changed",
        )
