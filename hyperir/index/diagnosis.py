"""What is damaged in an index, which part of it can be saved, and what is lost by that. Nothing is changed here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hyperir.core.amounts import count_text
from hyperir.index import commit as commits
from hyperir.index import tombstones
from hyperir.index.commit import INDICES, TRANSACTIONS, Commit
from hyperir.index.packed import FILE, packed_files
from hyperir.index.place import Place
from hyperir.index.stored import all_keys
from hyperir.index.tombstones import Keys, among
from hyperir.index.verify import Problem, disagreements, hash_all, read_commits, wrong_structures

__all__ = ["Plan", "diagnose", "without"]


@dataclass(frozen=True)
class Plan:
    """What a repair does, or did.

    Args:
        path: where the index is.
        problems: the damage.
        base: the commit that the index becomes again; None where none can be saved.
        newest: the number of the newest commit, damaged or not.
        rebuilt: packed vectors to be made again from the rows, each with a commit that has both.
        reindexed: whether scalar indices are made again.
        dropped: search structures that go, by their files, each with its strategy.
        unfitted: relevance functions fitted to the index that go, in words.
        given_up: commits that end.
        lost_documents: living documents of the newest commit that the base lacks or has in an older version; None where
            the newest commit cannot be read, so that nobody knows.
        revived_documents: documents that later commits deleted or replaced, and that are back.
        next_key: the next key to be given, greater than any ever seen.
    """

    path: Path | str
    problems: tuple[Problem, ...]
    base: Commit | None
    newest: int
    rebuilt: dict[str, int]
    reindexed: bool
    dropped: dict[str, str]
    unfitted: tuple[str, ...]
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
        lines += [
            f"dropped: the search structure {name}, {file}; `hyperir build` makes it again"
            for file, name in self.dropped.items()
        ]
        lines += [f"dropped: a fitted relevance function ({told}); `hyperir adapt` fits one" for told in self.unfitted]
        if self.lost_commits:
            lines.append(f"back to commit {self.base.number}, with {count_text(self.base.documents, 'document')}")
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


def diagnose(place: Place, show_progress: bool) -> Plan:
    """Read everything and plan the repair; see `hyperir.index.repair`."""
    numbers = commits.numbers(place)
    known, problems = read_commits(place)
    problems += hash_all(place, {f: r for commit in known.values() for f, r in commit.files.items()}, show_progress)
    damaged = {problem.file for problem in problems}
    rebuilt: dict[str, int] = {}
    base: Commit | None = None
    for number in reversed(known):
        commit = known[number]
        if any(name in damaged for name in commit.files if _holds_rows(name)):
            continue
        packed = {part.file for part in commit.generations} & damaged
        rebuilt = dict.fromkeys(packed, number) | rebuilt
        if base is None and not (commit.files.keys() - packed - without(commit)) & damaged:
            disagree = [] if packed else list(disagreements(place, commit))
            problems += disagree
            base = None if disagree else commit
            if base is not None:
                problems += (wrong := list(wrong_structures(place, base, damaged)))
                damaged |= {problem.file for problem in wrong}
    ended = set(numbers) if base is None else set(_ended(base, known, damaged, rebuilt, numbers))
    newest = known.get(numbers[-1])
    lost, revived = (None, None) if base is None else _changed(place, base, newest, damaged)
    return Plan(
        path=place.path,
        problems=tuple(problems),
        base=base,
        newest=numbers[-1],
        rebuilt={name: rebuilt[name] for name in sorted(rebuilt) if base is not None},
        reindexed=base is not None and _index_lost(base, damaged),
        dropped={} if base is None else {s.file: s.type for s in base.structures if damaged & set(s.files)},
        unfitted=() if base is None else tuple(one.told for one in base.fitted if damaged & set(one.files)),
        given_up=tuple(sorted(ended)),
        lost_documents=lost,
        revived_documents=revived,
        next_key=_next_key(place, known, numbers),
    )


def _index_lost(commit: Commit, damaged: set[str]) -> bool:
    """Whether an index of a column is damaged."""
    others = {name for structure in commit.structures for name in structure.table_files}
    return any(name.startswith(INDICES) and name not in others for name in commit.files.keys() & damaged)


def _holds_rows(name: str) -> bool:
    return name.startswith("rows.lance/") and not name.startswith((INDICES, TRANSACTIONS))


def without(commit: Commit) -> set[str]:
    """Files that a new commit does without: structures, fitted functions, indices of columns, records of Lance."""
    built = {structure.file for structure in commit.structures}
    built |= {file for fitted in commit.fitted for file in fitted.files}
    return {name for name in commit.files if name in built or name.startswith((INDICES, TRANSACTIONS))}


def _ended(
    base: Commit, known: dict[int, Commit], damaged: set[str], rebuilt: dict[str, int], numbers: list[int]
) -> Iterator[int]:
    """Commits after the base; and up to the newest other one that stays damaged, for a chain has no holes."""
    stays = damaged - rebuilt.keys()
    broken = [n for n in range(base.number + 1) if commits.name_of(n) in damaged]
    broken += [n for n, commit in known.items() if n <= base.number and stays & commit.files.keys()]
    last = max(broken, default=0)
    yield from (number for number in numbers if number > base.number or number <= last)


def _changed(place: Place, base: Commit, newest: Commit | None, damaged: set[str]) -> tuple[int | None, int | None]:
    """Living documents of the newest commit that the base lacks, and the other way round; None: nobody knows."""
    if newest is None:
        return None, None
    if newest.next_key == base.next_key:  # nothing was added since
        return 0, base.documents - newest.documents
    if not (newest.tombstones or base.tombstones):  # nothing was deleted
        return newest.documents - base.documents, 0
    needed = {name for c in (base, newest) for name in (*(g.file for g in c.generations), *c.tombstones)}
    if needed & damaged:
        return None, None
    old, new = _living(place, base), _living(place, newest)
    return len(np.setdiff1d(new, old)), len(np.setdiff1d(old, new))


def _living(place: Place, commit: Commit) -> Keys:
    keys: Keys = all_keys(packed_files(place, commit)).numpy()
    living: Keys = keys[~among(keys, tombstones.read(place, commit))]
    return living


def _next_key(place: Place, known: dict[int, Commit], numbers: list[int]) -> int:
    """Greater than every key that anything in the folder shows to have been given."""
    found = max((commit.next_key for commit in known.values()), default=0)
    for number in set(numbers) - known.keys():
        with suppress(OSError, ValueError, AttributeError):  # damaged, but perhaps not there
            said = json.loads(place.read(commits.name_of(number))).get("next_key")
            found = max(found, said if isinstance(said, int) else 0)
    named = {name for commit in known.values() for name in commit.files}
    for name, size in place.files("ann").items():
        if name.endswith(f"/{FILE}") and name not in named and size >= 8:
            last = int.from_bytes(place.read(name, size - 8), "little", signed=True)
            found = last + 1 if found <= last < found + size // 8 else found  # else no key, but damage
    return found
