"""Repair of a damaged index: what can be made again is, else the newest whole commit becomes the index; said first.

Packed vectors and scalar indices hold nothing that the rows do not, so they are made again. Nothing is lost then. Where
rows, tombstones or commits themselves are damaged, the newest commit that is whole is published again, and what came
after it is lost.
"""

from __future__ import annotations

from pathlib import Path

from hyperir.core.errors import CorruptError, InputError
from hyperir.index import commit as commits
from hyperir.index import durable, retention
from hyperir.index.clean import clean, leftovers
from hyperir.index.columns import index_column
from hyperir.index.commit import MANIFESTS, TRANSACTIONS, Commit
from hyperir.index.diagnosis import Plan, diagnose, without
from hyperir.index.draft import Draft
from hyperir.index.lock import NAME as LOCK
from hyperir.index.lock import exclusive
from hyperir.index.packed import PackedWriter
from hyperir.index.table import RowTable
from hyperir.index.writer import disk

__all__ = ["Plan", "repair"]

TEMPORARY = ".tmp"


def repair(path: str | Path, apply: bool = False, show_progress: bool = True) -> Plan:
    """Find out how a damaged index can be made whole, and do it where asked to.

    Args:
        path: the index folder.
        apply: do it: as a new commit, with a number of its own; damaged files are removed.
        show_progress: show a bar while reading.

    Returns:
        what is done or would be, and what is lost by it.

    Raises:
        InputError: there is no index at `path`.
        CorruptError: nothing can be saved, where `apply` asks for it.
        LockedError: another process writes, where `apply` asks for a change.
        StoreError: the disk failed.
    """
    root = Path(path).absolute()
    if not commits.numbers(root):
        raise InputError(f"there is no index at {root}")
    if not apply:
        return diagnose(root, show_progress)
    with exclusive(root) as held:
        plan = diagnose(root, show_progress)
        if plan.needed:
            held.dirty = True  # until it is done
            with disk(root):
                held.dirty = not _apply(root, plan)
        return plan


def _apply(root: Path, plan: Plan) -> bool:
    """Returns whether all files of no commit are gone."""
    if plan.base is None:
        raise CorruptError(
            f"no commit of {root} is whole, so nothing can be saved",
            got="; ".join(f"{problem.file}: {problem.what}" for problem in plan.problems[:3]),
            fix="restore the folder from a copy, or make the index again",
        )
    for name, number in plan.rebuilt.items():
        _rebuild(root, commits.load(root, number), name)
    damaged = {problem.file for problem in plan.problems}
    lost = without(plan.base) & damaged
    draft = Draft.of(
        root, plan.base.model_copy(update={"files": {n: r for n, r in plan.base.files.items() if n not in lost}})
    )
    draft.next_key = plan.next_key
    if plan.reindexed:
        later = [name for name in leftovers(root, plan.base) if name.startswith((MANIFESTS, TRANSACTIONS))]
        retention.remove(root, later)  # of commits that are lost: Lance goes on only from its latest version
        for name in plan.base.indexed:
            index_column(draft, name)
    commit, new = draft.sealed("repaired", number=plan.newest + 1)
    commits.publish(root, commit, [*new, *plan.rebuilt, LOCK], plan.given_up)
    return clean(root, commit)


def _rebuild(root: Path, commit: Commit, name: str) -> None:
    """Write packed vectors again from the rows, byte for byte as they were.

    Raises:
        CorruptError: they come out otherwise; nothing was changed.
    """
    place = next(i for i, part in enumerate(commit.generations) if part.file == name)
    start = sum(part.documents for part in commit.generations[:place])
    rows = RowTable(root, commit.lance_version)
    temporary = (root / name).with_suffix(TEMPORARY)
    temporary.parent.mkdir(parents=True, exist_ok=True)
    temporary.unlink(missing_ok=True)
    packed, keys = PackedWriter(temporary, commit.width, commit.dtype), []
    try:
        fragments = rows.fragments(start, start + commit.generations[place].documents)
        for batch in rows.stream(fragments, ["key", "vector"]):
            packed.write(batch.column("vector").flatten().to_numpy().reshape(-1, commit.width))
            keys.append(batch.column("key").to_numpy())
        packed.finish(keys)
    finally:
        packed.close()
    if durable.sha256_of(temporary) != commit.files[name].sha256:
        raise CorruptError(
            f"{name} in {root} cannot be made again from the rows",
            expected="the bytes that were committed",
            got="others",
            fix="restore the folder from a copy",
        )
    temporary.replace(root / name)
