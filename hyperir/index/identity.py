"""Which ids an index holds, in eight bytes for each: enough to say "certainly new" or "look closer"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["KnownIds", "hash_ids"]

Hashes = np.ndarray[Any, np.dtype[np.int64]]


def hash_ids(ids: Sequence[str]) -> Hashes:
    """A 64-bit hash of every id: Python's own, which differs between processes and is never stored."""
    return np.fromiter(map(hash, ids), np.int64, len(ids))


class KnownIds:
    """The hashes of all ids, in sorted runs; each run is more than twice as long as the next, so they are few."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def add(self, hashes: Hashes) -> None:
        """Remember ids."""
        if len(hashes):
            self._runs.append(np.sort(hashes))
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            merged = np.concatenate([self._runs.pop(), last])
            merged.sort(kind="stable")  # a merge sort: it finds the two sorted halves
            self._runs.append(merged)

    def merge(self, other: KnownIds) -> None:
        """Remember what another one does."""
        for run in other._runs:
            self.add(run)

    def suspects(self, hashes: Hashes) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """True where an id may be known: compare the id itself. False where it certainly is new."""
        found = np.zeros(len(hashes), dtype=np.bool_)
        for run in self._runs:
            found |= run[np.minimum(np.searchsorted(run, hashes), len(run) - 1)] == hashes
        return found
