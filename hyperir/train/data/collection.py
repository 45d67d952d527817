"""A collection with judgements, and negatives that were mined for it: each judged pair is one example."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus import open_collection
from hyperir.train.data.documents import Documents
from hyperir.train.data.example import Example
from hyperir.train.data.records import Records

__all__ = ["CollectionSet", "CollectionSetConfig"]


class CollectionSetConfig(Config):
    """Configuration of a collection's training set.

    Args:
        source: the collection, as `hyperir index` takes it.
        split: whose judgements are learned from.
        grade: from which grade a document counts as relevant.
        negatives: what `hyperir mine` wrote for this split.
    """

    type: Literal["collection"] = "collection"
    source: str
    split: str = "train"
    grade: int = 1
    negatives: str | None = None


class CollectionSet:
    """One example for each query and document judged relevant: that document, then the query's mined negatives.

    Labels are grades, NaN for what nobody judged. Queries and judgements are in memory; the documents' texts are not.
    """

    Config = CollectionSetConfig
    understood = "a collection with judgements, such as a BEIR folder"

    def __init__(self, config: CollectionSetConfig) -> None:
        self._config = config
        self._collection = open_collection(config.source)
        self._queries = self._collection.queries(config.split)
        self._qrels = self._collection.qrels(config.split)
        self._positives = {
            query: frozenset(document for document, grade in judged.items() if grade >= config.grade)
            for query, judged in self._qrels.items()
        }
        # Sorted within a query: a set has no order of its own that lasts.
        self._pairs = [(query, document) for query, own in self._positives.items() for document in sorted(own)]
        if not self._pairs:
            raise CollectionError(
                f"the split {config.split!r} of {config.source} has nothing to learn from",
                expected=f"judgements of grade {config.grade} or more",
            )
        self._mined: dict[str, int] = {}
        self._negatives = None if config.negatives is None else self._open(Path(config.negatives))

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A folder with queries and judgements, or an id of ir_datasets."""
        return (Path(source).is_dir() or source.startswith("irds:")) and bool(open_collection(source).splits)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, i: int) -> Example:
        query, document = self._pairs[i]
        positives, judged = self._positives[query], self._qrels[query]
        negatives: list[str] = []
        if self._negatives is not None and query in self._mined:
            negatives = self._negatives[self._mined[query]]["negatives"]
        items = (document, *(each for each in negatives if each not in positives))
        return Example(
            self._queries[query], items, tuple(float(judged.get(each, math.nan)) for each in items), positives
        )

    def text(self, id: str) -> Row:  # noqa: A002 - as users say it
        """The document with this id."""
        return self.documents[id]

    @cached_property
    def documents(self) -> Documents:
        """All documents, read when first needed: who has their vectors needs no texts."""
        return Documents(self._collection)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the queries, the judgements, the mined negatives and the documents."""
        digest = hashlib.sha256()
        for query, document in self._pairs:
            digest.update(f"{self._queries[query]}\0{document}\0{self._qrels[query][document]}\n".encode())
        mined = "" if self._negatives is None else self._negatives.fingerprint
        return self.documents.fingerprint_with(digest.hexdigest() + mined)

    def _open(self, path: Path) -> Records:
        count = 0

        def check(value: Any, place: str) -> None:
            nonlocal count
            if not count and isinstance(value, Mapping) and "hyperir" in value:  # the header
                count += 1
                return
            fine = isinstance(value, Mapping) and isinstance(value.get("query_id"), str)
            listed = value.get("negatives") if fine else None
            if not isinstance(listed, list) or not all(isinstance(id_, str) for id_ in listed):
                raise CollectionError(
                    f"{place} is no line of mined negatives",
                    expected='{"query_id": "...", "negatives": ["id", ...]}, as `hyperir mine` writes',
                    got=repr(value)[:80],
                )
            if value["query_id"] in self._mined:
                raise CollectionError(f"{place}: the query {value['query_id']!r} comes a second time")
            self._mined[value["query_id"]] = count
            count += 1

        records = Records.open(path, check)
        if not self._mined.keys() & self._positives.keys():
            raise CollectionError(
                f"{path} has negatives for none of the {len(self._positives):,} queries of the split",
                expected=f"queries of the split {self._config.split!r} of {self._config.source}",
                got="queries " + ", ".join(map(repr, list(self._mined)[:3])),
            )
        return records
