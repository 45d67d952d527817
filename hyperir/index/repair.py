"""Repair of a damaged index: what can be made again is, else the newest whole commit becomes the index; said first.

Packed vectors and scalar indices hold nothing that the rows do not, so they are made again. A damaged search structure
is dropped: searches do without, and to build it again may take hours. So is a fitted relevance function; the one
before it is used again. Nothing else is lost then. Where rows, tombstones or commits themselves are damaged, the newest
commit that is whole is published again, and what came after it is lost.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hyperir.core.errors import CorruptError, InputError
from hyperir.index import commit as commits
from hyperir.index import durable, structures
from hyperir.index.clean import clean, leftovers
from hyperir.index.columns import index_column
from hyperir.index.commit import MANIFESTS, TRANSACTIONS, Commit
from hyperir.index.diagnosis import Plan, diagnose, without
from hyperir.index.draft import Draft
from hyperir.index.kinds import KINDS
from hyperir.index.packed import PackedWriter
from hyperir.index.place import TEMPORARY, Hold, Place, place_at
from hyperir.index.table import RowTable
from hyperir.index.writer import disk, fenced

__all__ = ["Plan", "repair"]


def repair(path: str | Path, apply: bool = False, show_progress: bool = True, wait: float = 0.0) -> Plan:
    """Find out how a damaged index can be made whole, and do it where asked to.

    Args:
        path: where the index is.
        apply: do it: as a new commit, with a number of its own; damaged files are removed.
        show_progress: show a bar while reading.
        wait: seconds to wait for another writer; only `apply` does.

    Returns:
        what is done or would be, and what is lost by it.

    Raises:
        InputError: there is no index at `path`.
        CorruptError: nothing can be saved, where `apply` asks for it.
        LockedError: another process writes, where `apply` asks for a change.
        StoreError: the disk failed.
        UnreachableError: an object store does not answer.
    """
    place = place_at(path)
    if not commits.numbers(place):
        raise InputError(f"there is no index at {place}")
    if not apply:
        return diagnose(place, show_progress)
    with place.lock(wait) as held:
        if held.taken_over:
            _fence(place, held)
        plan = diagnose(place, show_progress)
        if plan.needed:
            held.dirty = True  # until it is done
            with disk(place):
                held.dirty = not _apply(place, plan)
        return plan


def _fence(place: Place, held: Hold) -> None:
    """Take the next number away from a writer that may wake up, where the newest commit is damaged as well."""
    try:
        fenced(place, held)
    except CorruptError:
        with suppress(FileExistsError):  # its commit was faster, and is one more to be looked at
            place.publish(commits.name_of(commits.numbers(place)[-1] + 1), b"")  # no commit: it is given up below
        held.fenced()


def _apply(place: Place, plan: Plan) -> bool:
    """Returns whether all files of no commit are gone."""
    if plan.base is None:
        raise CorruptError(
            f"no commit of {place} is whole, so nothing can be saved",
            got="; ".join(f"{problem.file}: {problem.what}" for problem in plan.problems[:3]),
            fix="restore the folder from a copy, or make the index again",
        )
    for name, number in plan.rebuilt.items():
        _rebuild(place, commits.load(place, number), name)
    damaged = {problem.file for problem in plan.problems}
    lost = without(plan.base) & damaged
    draft = Draft.of(
        place, plan.base.model_copy(update={"files": {n: r for n, r in plan.base.files.items() if n not in lost}})
    )
    draft.next_key = plan.next_key
    gone = tuple(structure for structure in plan.base.structures if structure.file in plan.dropped)
    if plan.reindexed or any(structure.table_files for structure in gone):
        later = [name for name in leftovers(place, plan.base) if name.startswith((MANIFESTS, TRANSACTIONS))]
        place.remove(later)  # of commits that are lost: Lance goes on only from its latest version
    structures.without(draft, gone)
    draft.fitted = tuple(fitted for fitted in draft.fitted if not damaged & set(fitted.files))
    if plan.reindexed:
        for name in plan.base.indexed:
            index_column(draft, name)
    commit, new = draft.sealed("repaired", number=plan.newest + 1)
    commits.publish(place, commit, [*new, *plan.rebuilt], plan.given_up)
    return clean(place, commit)


def _rebuild(place: Place, commit: Commit, name: str) -> None:
    """Write packed vectors again from the rows, byte for byte as they were.

    Raises:
        CorruptError: they come out otherwise; nothing was changed.
    """
    which = next(i for i, part in enumerate(commit.generations) if part.file == name)
    start = sum(part.documents for part in commit.generations[:which])
    rows, kind = RowTable(place, commit.lance_version), KINDS[commit.kind]
    temporary = name + TEMPORARY
    place.remove([temporary])
    path = place.begin(temporary)
    packed, keys = PackedWriter(path, commit.width, commit.dtype, commit.kind), []
    try:
        fragments = rows.fragments(start, start + commit.generations[which].documents)
        for batch in rows.stream(fragments, ["key", "vector"], batch=kind.batch):
            packed.write(kind.of_arrow(batch.column("vector"), commit.width))
            keys.append(batch.column("key").to_numpy())
        packed.finish(keys)
    finally:
        packed.close()
    if durable.sha256_of(path) != commit.files[name].sha256:
        raise CorruptError(
            f"{name} in {place} cannot be made again from the rows",
            expected="the bytes that were committed",
            got="others",
            fix="restore the folder from a copy",
        )
    place.replace(temporary, name)
