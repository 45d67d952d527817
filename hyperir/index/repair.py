"""Repair of a damaged index: what can be made again is, else the newest whole commit becomes the index; said first.

Packed vectors and scalar indices hold nothing that the rows do not, so they are made again. Nothing is lost then. Where
rows, tombstones or commits themselves are damaged, the newest commit that is whole is published again, and what came
after it is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hyperir.core.errors import CorruptError, InputError
from hyperir.index import commit as commits
from hyperir.index import durable, retention
from hyperir.index.clean import clean, leftovers
from hyperir.index.columns import index_column
from hyperir.index.commit import INDICES, TRANSACTIONS, Commit
from hyperir.index.draft import Draft
from hyperir.index.lock import NAME as LOCK
from hyperir.index.lock import exclusive
from hyperir.index.packed import FILE, PackedWriter
from hyperir.index.table import RowTable
from hyperir.index.verify import Problem, disagreements, hash_all, read_commits
from hyperir.index.writer import disk

__all__ = ["Plan", "repair"]

TEMPORARY = ".tmp"


@dataclass(frozen=True)
class Plan:
    """What a repair does, or did.

    Args:
        path: the index folder.
        problems: the damage.
        base: the commit that the index becomes again; None where none can be saved.
        newest: the number of the newest commit, damaged or not.
        rebuilt: packed vectors to be made again from the rows, each with a commit that has both.
        reindexed: whether scalar indices are made again.
        given_up: commits that end.
        lost_documents: living documents of the newest commit that the base lacks or has in an older version; None where
            the newest commit cannot be read, so that nobody knows.
        revived_documents: documents that later commits deleted or replaced, and that are back.
        next_key: the next key to be given, greater than any ever seen.
    """

    path: Path
    problems: tuple[Problem, ...]
    base: Commit | None
    newest: int
    rebuilt: dict[str, int]
    reindexed: bool
    given_up: tuple[int, ...]
    lost_documents: int | None
    revived_documents: int | None
    next_key: int

    @property
    def needed(self) -> bool:
        """Whether there is anything to repair."""
        return bool(self.problems)

    @property
    def lost_commits(self) -> tuple[int, ...]:
        """Commits after the base, whose changes are lost."""
        return tuple(n for n in self.given_up if self.base is None or n > self.base.number)

    def __str__(self) -> str:
        if not self.needed:
            return f"{self.path}: whole, nothing to repair"
        lines = [f"{self.path}: {len(self.problems)} damaged", *(f"  {p.file}: {p.what}" for p in self.problems)]
        if self.base is None:
            return "\n".join([*lines, "no commit is whole: nothing can be saved here; restore the folder from a copy"])
        lines += [f"made again from the rows, as it was: {name}" for name in self.rebuilt]
        lines += ["made again: scalar indices"] * self.reindexed
        if self.lost_commits:
            lines.append(f"back to commit {self.base.number}, with {self.base.documents:,} documents")
            lines.append(f"lost commits: {_listed(self.lost_commits)}")
            lines.append(f"lost documents: {_count(self.lost_documents)}")
            lines.append(f"deleted or replaced documents that are back: {_count(self.revived_documents)}")
        else:
            lines.append("lost documents: 0")
        if older := [n for n in self.given_up if n < self.base.number]:
            lines.append(f"older snapshots given up: {_listed(older)}")
        return "\n".join(lines)


def _listed(numbers: tuple[int, ...] | list[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _count(number: int | None) -> str:
    return "unknown, for the newest commit or its keys cannot be read" if number is None else f"{number:,}"


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
    if not apply:
        return _planned(root, show_progress)
    if not commits.numbers(root):
        raise InputError(f"there is no index at {root}")
    with exclusive(root) as held:
        plan = _planned(root, show_progress)
        if plan.needed:
            held.dirty = True  # until it is done
            with disk(root):
                held.dirty = not _apply(root, plan)
        return plan
