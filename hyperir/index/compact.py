"""Compaction: live rows are written again in one piece, under their old keys, and old snapshots are given up."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from hyperir.core.errors import InputError, StoreError
from hyperir.index import commit as commits
from hyperir.index import table
from hyperir.index.clean import clean
from hyperir.index.columns import index_column
from hyperir.index.commit import Commit
from hyperir.index.draft import Draft
from hyperir.index.merge import copy_live, replace
from hyperir.index.table import RowTable
from hyperir.index.writer import disk, locked

__all__ = ["compact"]

SLACK = 1 << 20  # bytes of manifests, headers and folders


def compact(root: Path, keep: int = 1, wait: float = 0.0) -> Commit:
    """Write all live rows again, streamed; then give up the snapshots before.

    Keys and the order of rows stay, so that results stay. Scalar indices are made anew and cover every row.

    Args:
        root: the index folder.
        keep: commits that stay, the new one included; every one more keeps files that only it needs.
        wait: seconds to wait while another process writes.

    Raises:
        InputError: keep < 1.
        StoreError: the disk has no room for the copy, or failed; the index is as it was.
        LockedError: another process writes.
    """
    if keep < 1:
        raise InputError("compaction keeps at least the newest commit", expected="keep >= 1", got=f"keep = {keep}")
    with locked(root, wait) as (base, held):
        held.dirty = True  # until it is done
        try:
            _check_room(root, base)
            with disk(root):
                commit = _compacted(root, base, keep)
        finally:
            with suppress(StoreError), disk(root):  # the lock then says so, and the next writer does it
                held.dirty = not clean(root, commits.newest(root) or base)
        return commit


def _compacted(root: Path, base: Commit, keep: int) -> Commit:
    import lance

    draft = Draft.of(root, base)
    if base.lance_version:
        rows = RowTable(root, base.lance_version)
        fragments, generation = copy_live(draft, rows, rows.fragments(0, base.stored), base.generations)
        change = lance.LanceOperation.Overwrite(rows.dataset.schema, fragments)
        draft.version = table.publish(root, draft.version, change)
        replace(draft, 0, generation)
        for name in base.indexed:
            index_column(draft, name)
    return draft.publish("compacted", keep=keep)


def _check_room(root: Path, base: Commit) -> None:
    """Refuse to begin what the disk cannot hold: the copy stands beside the old files until it is committed."""
    share = base.documents / base.stored if base.stored else 0.0
    need = round(sum(record.size for record in base.files.values()) * share) + SLACK
    free = shutil.disk_usage(root).free
    if free < need:
        raise StoreError(
            f"there is no room to compact {root}",
            expected=f"{need:,} bytes free on the disk, for a copy of what is alive",
            got=f"{free:,} bytes free",
            fix="free some space, or move the index to a larger disk; nothing was changed",
        )
