"""Which ids are taken while an index is being written: those of its live rows, and those of the add under way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperir.index.commit import Commit
from hyperir.index.identity import KnownIds, hash_ids
from hyperir.index.lookup import find
from hyperir.index.packed import packed_files
from hyperir.index.pending import Pending
from hyperir.index.place import Place
from hyperir.index.stored import all_keys
from hyperir.index.table import RowTable
from hyperir.index.tombstones import Keys, among

__all__ = ["Taken", "TakenIds"]

LOOKS = 3  # batches of a process whose ids are looked for in the table itself; more of them are worth a hash of each
REMEMBERED = 4  # indexes whose ids a process remembers, in eight bytes for each


@dataclass(frozen=True)
class Taken:
    """Where an id stands: its row's key, and the row in words."""

    key: int
    where: str


@dataclass
class _Memory:
    """What this process knows of the ids of one index.

    Args:
        commit: whose ids they are.
        looks: batches of ids that were looked for in the table.
        known: all ids of the commit, and perhaps some that were deleted; None until it pays.
    """

    commit: tuple[str, int, str]
    looks: int = 0
    known: KnownIds | None = None


_memories: OrderedDict[str, _Memory] = OrderedDict()


def _memory(place: Place, commit: Commit) -> _Memory:
    """What is remembered of an index, if it is still at this commit; else a new beginning."""
    name, wanted = str(place), _identity(commit)
    if name not in _memories or _memories[name].commit != wanted:
        _memories[name] = _Memory(wanted)
        if len(_memories) > REMEMBERED:
            _memories.popitem(last=False)
    _memories.move_to_end(name)
    return _memories[name]


def _identity(commit: Commit) -> tuple[str, int, str]:
    return commit.index_created, commit.number, commit.created


class TakenIds:
    """Finds ids. What it learns of the committed ones stays in this process, for the next writer.

    Args:
        rows: the table of the base.
        base: the commit that is added to.
        pending: rows of this add.
        before: rows of this add that a checkpoint committed, for places in words.
    """

    def __init__(self, rows: RowTable, base: Commit, pending: Pending, before: int) -> None:
        self._rows, self._base, self._pending, self._before = rows, base, pending, before
        self._added = KnownIds()
        self._memory = _memory(rows.place, base)

    @cached_property
    def keys(self) -> Keys:
        """Of every row of the base, ascending."""
        base = self._base
        keys: Keys = all_keys(packed_files(self._rows.place, base)).numpy()
        return keys

    def find(self, ids: Sequence[str], dead: Keys) -> dict[str, Taken]:
        """Those of `ids` that are taken.

        Args:
            ids: without repetitions.
            dead: keys of deleted rows, ascending.
        """
        places, which = find(self._column(), ids)
        found = {}
        if len(places):
            for place, id_, key in _living(places, which, self.keys[places], dead):
                found[ids[id_]] = Taken(key, f"row {place} of the index")
        places, which = find(self._pending.ids(), ids)
        for place, id_, key in _living(places, which, places + self._base.next_key, dead):
            found[ids[id_]] = Taken(key, f"row {self._before + place} of this add")
        return found

    def _column(self) -> Any:
        return (batch.column(0) for batch in self._rows.scan(["id"]))

    def suspects(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that may be taken: the others certainly are not, so that only few are looked for."""
        memory = self._memory
        if memory.known is None:
            memory.looks += 1
            if memory.looks <= LOOKS:
                return list(ids)
            known = KnownIds()
            for part in self._column():
                known.add(hash_ids(part.to_pylist()))
            memory.known = known
        hashes = hash_ids(ids)
        may_be = memory.known.suspects(hashes) | self._added.suspects(hashes)
        return [ids[i] for i in may_be.nonzero()[0].tolist()]

    def add(self, ids: Sequence[str]) -> None:
        """Remember ids of this add."""
        self._added.add(hash_ids(ids))

    def committed(self, commit: Commit) -> None:
        """All of this add is in a commit now."""
        self._memory.commit = _identity(commit)
        if self._memory.known is not None:
            self._memory.known.merge(self._added)


def _living(places: Keys, which: Keys, keys: Keys, dead: Keys) -> list[tuple[int, int, int]]:
    alive = ~among(keys, dead)
    kept = np.stack([places[alive], which[alive], keys[alive]], axis=1)
    return [(int(place), int(id_), int(key)) for place, id_, key in kept.tolist()]
