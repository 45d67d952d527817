"""A collection's judgements: every query with every document judged relevant is one example."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Literal

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.types import Row
from hyperir.corpus import open_collection
from hyperir.train.data.example import Example

__all__ = ["CollectionSet"]


class CollectionSetConfig(Config):
    """Configuration of a collection's training set.

    Args:
        source: the collection, as `hyperir index` takes it.
        split: whose judgements are learned from.
        grade: from which grade a document counts as relevant.
    """

    type: Literal["collection"] = "collection"
    source: str
    split: str = "train"
    grade: int = 1


class CollectionSet:
    """The examples of a collection.

    Args:
        config: see :class:`CollectionSetConfig`.
    """

    Config = CollectionSetConfig

    def __init__(self, config: CollectionSetConfig) -> None:
        self.config = config
        collection = open_collection(config.source)
        queries = collection.queries(config.split)
        qrels = collection.qrels(config.split)
        self._pairs = [
            (query, document)
            for query, judged in qrels.items()
            for document, grade in judged.items()
            if grade >= config.grade
        ]
        self._queries = queries
        self._collection = collection
        if not self._pairs:
            raise InputError(
                f"the split {config.split!r} of {config.source} has nothing to learn from",
                expected=f"judgements of grade {config.grade} or more",
            )

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, i: int) -> Example:
        query, document = self._pairs[i]
        return Example(self._queries[query], (document,), (float("nan"),))

    @cached_property
    def _texts(self) -> dict[str, Row]:
        return {row["id"]: row for row in self._collection.documents()}

    def text(self, id: str) -> Row:  # noqa: A002 - as users say it
        """The document with this id."""
        return self._texts[id]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the pairs and the queries' texts."""
        digest = hashlib.sha256()
        for query, document in self._pairs:
            digest.update(f"{self._queries[query]}\0{document}\0".encode())
        return digest.hexdigest()
