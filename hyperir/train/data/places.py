"""Where a document stands, by its id: 20 bytes a document, however long its id and text."""

from __future__ import annotations

import hashlib
from array import array
from typing import Any

import numpy as np

__all__ = ["Places", "digest_id"]

COMPACT = 1 << 20  # entries that wait until they are sorted in


class Places:
    """Id -> (record, item), from the first time that the id was added.

    Ids are remembered as hashes of 64 bits. Two of n ids share one with a chance of n^2 / 2^65, 2e-6 for nine million;
    who reads the document can tell, and must.
    """

    def __init__(self) -> None:
        self._hashes = np.empty(0, dtype=np.uint64)
        self._records = np.empty(0, dtype=np.int64)
        self._items = np.empty(0, dtype=np.int32)
        self._new = (array("Q"), array("q"), array("i"))

    def add(self, id: str, record: int, item: int = 0) -> None:  # noqa: A002 - as users say it
        """Remember where a document stands; what was added before stays."""
        for waiting, value in zip(self._new, (_hash(id), record, item), strict=True):
            waiting.append(value)
        if len(self._new[0]) >= COMPACT:
            self._sort_in()

    def __len__(self) -> int:
        self._sort_in()
        return len(self._hashes)

    def find(self, id: str) -> tuple[int, int] | None:  # noqa: A002
        """(record, item) of a document; None where the id was never added."""
        self._sort_in()
        wanted = np.uint64(_hash(id))
        at = int(np.searchsorted(self._hashes, wanted))
        if at == len(self._hashes) or self._hashes[at] != wanted:
            return None
        return int(self._records[at]), int(self._items[at])

    def _sort_in(self) -> None:
        if not self._new[0]:
            return
        old: tuple[np.ndarray[Any, Any], ...] = (self._hashes, self._records, self._items)
        merged = [np.concatenate([a, np.asarray(b, dtype=a.dtype)]) for a, b in zip(old, self._new, strict=True)]
        self._hashes, first = np.unique(merged[0], return_index=True)  # the index of the first of equal ones
        self._records, self._items = merged[1][first], merged[2][first]
        self._new = (array("Q"), array("q"), array("i"))


def digest_id(text: str) -> str:
    """An id for a document that has none: equal texts get equal ones."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _hash(id: str) -> int:  # noqa: A002
    return int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest())
