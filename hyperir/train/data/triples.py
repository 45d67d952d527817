"""Triples: a query, a relevant document and any number of others, as texts or as ids.

TSV without a header: `query positive negative...`; with the teacher's scores before them, `score score... query
positive negative...`. JSON lines: arrays `["query", "positive", "negative", ...]`, in which a document may also be a
pair with its score, `["id", 3.2]`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.corpus import open_collection
from hyperir.corpus.lines import excerpt, suffix
from hyperir.corpus.queries import read_queries
from hyperir.train.data.documents import Documents
from hyperir.train.data.example import Example
from hyperir.train.data.inline import InlineSet, Item, as_label, as_string, first_value, make_item
from hyperir.train.data.records import read_tabs

__all__ = ["TriplesSet", "TriplesSetConfig"]


class TriplesSetConfig(Config):
    """Configuration of triples.

    Args:
        source: the file, TSV or JSON lines, plain or gzip.
        queries: a file of queries, where the triples hold ids.
        documents: a collection, where the triples hold ids.
        scores_first: TSV lines begin with a score for each document.
    """

    type: Literal["triples"] = "triples"
    source: str
    queries: str | None = None
    documents: str | None = None
    scores_first: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> TriplesSetConfig:
        if (self.queries is None) != (self.documents is None):
            raise ValueError("ids need both queries and documents; texts need neither")
        return self


class TriplesSet(InlineSet):
    """Examples of triples."""

    Config = TriplesSetConfig
    understood = "triples: TSV without a header, or JSON arrays, of a query, a positive and negatives"

    def __init__(self, config: TriplesSetConfig) -> None:
        self._config = config
        self._queries = None if config.queries is None else read_queries(config.queries)
        self._documents = None if config.documents is None else Documents(open_collection(config.documents))
        path = Path(config.source)
        super().__init__(path, self._record, tabs=suffix(path) == ".tsv")

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A TSV file of three columns or more, or JSON lines of arrays."""
        path = Path(source)
        if suffix(path) == ".tsv" and path.is_file():
            return len(next((fields for _, fields in read_tabs(path)), [])) >= 3
        return isinstance(first_value(source), list)

    def __getitem__(self, i: int) -> Example:
        example = super().__getitem__(i)
        if self._queries is None:
            return example
        return Example(self._queries[example.query], example.items, example.labels, example.positives)

    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """The document with this id."""
        return super().text(id) if self._documents is None else self._documents[id]

    @property
    def fingerprint(self) -> str:
        """sha256 over the triples, and the documents they name."""
        return super().fingerprint if self._documents is None else self._documents.fingerprint_with(super().fingerprint)

    def _record(self, value: Any, place: str) -> tuple[str, list[Item]]:
        if not isinstance(value, list):
            raise CollectionError(f"{place} is no array", expected='["query", "positive", ...]', got=repr(value)[:80])
        fields, scores = list(value), []
        if self._config.scores_first:
            numbers = (len(fields) - 1) // 2
            scores, fields = fields[:numbers], fields[numbers:]
        if len(fields) < 2 or (scores and len(scores) != len(fields) - 1):
            raise CollectionError(
                f"{place} has {len(value)} fields",
                expected="a query and a document at least" + (", and a score for each document" if scores else ""),
                got=excerpt(" | ".join(map(str, value))),
            )
        labels = [as_label(score, place) for score in scores] or [math.nan] * (len(fields) - 1)
        items = []
        for field, label in zip(fields[1:], labels, strict=True):
            if isinstance(field, list) and len(field) == 2:
                field, label = field[0], as_label(field[1], place)
            items.append(self._item(field, label, place))
        return self._query(fields[0], place), items

    def _item(self, field: Any, label: float, place: str) -> Item:
        if self._documents is None:
            return make_item(None, as_string(field, "a document", place), label, place)
        item = make_item(field, "", label, place)
        if item.id not in self._documents:
            raise CollectionError(f"{place}: {self._config.documents} has no document {item.id!r}")
        return item

    def _query(self, field: Any, place: str) -> str:
        if self._queries is None:
            return as_string(field, "the query", place)
        id_ = str(field)
        if id_ not in self._queries:
            raise CollectionError(f"{place}: {self._config.queries} has no query {id_!r}")
        return id_
