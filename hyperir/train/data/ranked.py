"""Queries with the ids of documents, and what somebody scored them: examples over an index, whose texts stay there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError, InputError
from hyperir.core.types import Row
from hyperir.train.data.example import Example
from hyperir.train.data.inline import as_label, as_string
from hyperir.train.data.records import Records

__all__ = ["RankedSet", "RankedSetConfig"]


class RankedSetConfig(Config):
    """Configuration of a ranked set.

    Args:
        source: the file, plain or gzip.
    """

    type: Literal["ranked"] = "ranked"
    source: str


class RankedSet:
    """JSON lines `{"query", "items": ids, "scores": [...], "positives": ids}`, the positive item first.

    A score is null where nobody knows; without `positives` the first item is the only one.
    """

    Config = RankedSetConfig
    understood = 'JSON lines with "query" and the ids of "items" that an index holds'

    def __init__(self, config: RankedSetConfig) -> None:
        self._path = Path(config.source)
        self._records = Records.open(self._path, _parsed)
        if not len(self._records):
            raise CollectionError(f"there is no example in {self._path}", expected="one record an example")

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Never: the documents are in an index that the file does not name."""
        return False

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, i: int) -> Example:
        return _parsed(self._records[i], f"record {i + 1} of {self._path}")

    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """Refuse: the file holds ids alone."""
        raise InputError(
            f"{self._path} holds no texts of documents",
            expected="regime.index, whose vectors are the documents",
            got=f"a question for the text of {id!r}",
        )

    @property
    def fingerprint(self) -> str:
        """sha256 over the records."""
        return self._records.fingerprint


def _parsed(value: Any, place: str) -> Example:
    if not isinstance(value, Mapping) or not isinstance(value.get("items"), list) or not value["items"]:
        raise CollectionError(f'{place} has no "query" and list of "items"', got=repr(value)[:80])
    items, scores = value["items"], value.get("scores") or [None] * len(value["items"])
    positives = value.get("positives") or items[:1]
    if not isinstance(positives, list) or not all(isinstance(id_, str) for id_ in [*items, *positives]):
        raise CollectionError(f"{place}: items and positives are ids", expected="strings", got=repr(value)[:80])
    if not isinstance(scores, list) or len(scores) != len(items):
        raise CollectionError(f"{place} has not a score for each item", expected=f"{len(items)}", got=repr(scores)[:80])
    query = as_string(value.get("query"), "the query", place)
    return Example(query, tuple(items), tuple(as_label(score, place) for score in scores), frozenset(positives))
