"""The documents of any collection by their ids, without holding their texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from hyperir.core.errors import CollectionError, DuplicateIdError, InputError
from hyperir.core.types import Row
from hyperir.corpus.collection import Collection
from hyperir.train.data.places import Places
from hyperir.train.data.records import Records

__all__ = ["Documents"]


class Documents:
    """Ids -> {"id", "title", "text"}. The collection is written once into a temporary file, and read from there.

    Args:
        collection: what holds the documents.

    Raises:
        CollectionError, DuplicateIdError: the collection is broken; names the place.
    """

    def __init__(self, collection: Collection) -> None:
        self.name = collection.name
        self._places = Places()
        count = 0

        def check(value: Any, place: str) -> None:
            nonlocal count
            self._places.add(value["id"], count)
            count += 1

        def rows() -> Iterator[tuple[str, Row]]:
            for number, row in enumerate(collection.documents(), 1):
                kept = {"id": str(row["id"]), "title": row.get("title") or "", "text": row["text"]}
                yield f"document {number} of {collection.name}", kept

        self._records = Records.spool(rows(), check, f"Reading {collection.name}")
        if not count:
            raise CollectionError(f"the collection {collection.name!r} has no documents")
        if len(self._places) < count:
            raise DuplicateIdError(
                f"{count - len(self._places):,} documents of {collection.name!r} have an id that another one has",
                expected="every id once",
            )

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, id: str) -> bool:  # noqa: A002 - as users say it
        return self._places.find(id) is not None

    def __getitem__(self, id: str) -> Row:  # noqa: A002
        place = self._places.find(id)
        row: Row | None = None if place is None else self._records[place[0]]
        if row is None or row["id"] != id:
            raise InputError(f"the collection {self.name!r} has no document {id!r}")
        return row

    def row(self, number: int) -> Row:
        """The document that came as this one, from 0."""
        row: Row = self._records[number]
        return row

    def id(self, number: int) -> str:
        """Its id."""
        return str(self._records[number]["id"])

    @property
    def fingerprint(self) -> str:
        """sha256 over ids, titles and texts."""
        return self._records.fingerprint

    def fingerprint_with(self, other: str) -> str:
        """sha256 over the documents and something else."""
        return hashlib.sha256(f"{other}\n{self.fingerprint}".encode()).hexdigest()
