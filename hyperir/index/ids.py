"""Which ids are taken while an index is being written: those of its live rows, and those of the add under way."""

from __future__ import annotations

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
from hyperir.index.stored import StoredDocs
from hyperir.index.table import RowTable
from hyperir.index.tombstones import Keys, among

__all__ = ["Taken", "TakenIds"]

LOOKS = 3  # batches whose ids are looked for in the table itself; more of them are worth a hash of every id


@dataclass(frozen=True)
class Taken:
    """Where an id stands: its row's key, and the row in words."""

    key: int
    where: str


class TakenIds:
    """Finds ids.

    Args:
        rows: the table of the base.
        base: the commit that is added to.
        pending: rows of this add.
        before: rows of this add that a checkpoint committed, for places in words.
    """

    def __init__(self, rows: RowTable, base: Commit, pending: Pending, before: int) -> None:
        self._rows, self._base, self._pending, self._before = rows, base, pending, before
        self._added = KnownIds()
        self._known: KnownIds | None = None
        self._looks = 0

    @cached_property
    def keys(self) -> Keys:
        """Of every row of the base, ascending."""
        base = self._base
        keys: Keys = StoredDocs(packed_files(self._rows.place, base), base.width, base.dtype).keys.numpy()
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
        if self._known is None:
            self._looks += 1
            if self._looks <= LOOKS:
                return list(ids)
            self._known = KnownIds()
            for part in self._column():
                self._known.add(hash_ids(part.to_pylist()))
        hashes = hash_ids(ids)
        may_be = self._known.suspects(hashes) | self._added.suspects(hashes)
        return [ids[i] for i in may_be.nonzero()[0].tolist()]

    def add(self, ids: Sequence[str]) -> None:
        """Remember ids of this add."""
        self._added.add(hash_ids(ids))


def _living(places: Keys, which: Keys, keys: Keys, dead: Keys) -> list[tuple[int, int, int]]:
    alive = ~among(keys, dead)
    kept = np.stack([places[alive], which[alive], keys[alive]], axis=1)
    return [(int(place), int(id_), int(key)) for place, id_, key in kept.tolist()]
