"""What readers share whose records hold the texts themselves: one record is one example."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperir.core.errors import CollectionError, InputError
from hyperir.core.types import Row
from hyperir.corpus.jsonl import JSONL_SUFFIXES
from hyperir.corpus.lines import suffix
from hyperir.train.data.example import Example
from hyperir.train.data.places import Places, digest_id
from hyperir.train.data.records import Records, read_tabs, read_values

__all__ = ["InlineSet", "Item", "as_label", "as_string", "first_value", "make_item"]

RECENT = 4096  # texts kept, so that those of an example just read are not parsed again


@dataclass(frozen=True)
class Item:
    """A document of a record."""

    id: str
    text: str
    label: float


Parse = Callable[[Any, str], tuple[str, list[Item]]]  # a record and its place -> the query and its items


class InlineSet:
    """Base of training sets whose records hold the texts.

    The file is read once, so that a wrong record is named before training starts; then only places are in memory.
    Where an id comes with several texts, the first one counts.

    Args:
        path: the file.
        parse: record and place -> query and items, the positive first; raises CollectionError.
        tabs: a record is the list of a line's fields, with tabs between them.
    """

    def __init__(self, path: Path, parse: Parse, *, tabs: bool = False) -> None:
        self._path, self._parse = path, parse
        self._places = Places()
        self._recent: dict[str, str] = {}
        count = 0

        def check(value: Any, place: str) -> None:
            nonlocal count
            for item, each in enumerate(parse(value, place)[1]):
                self._places.add(each.id, count, item)
            count += 1

        self._records = Records.open(path, check, tabs=tabs)
        if not count:
            raise CollectionError(f"there is no example in {path}", expected="one record an example")

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, i: int) -> Example:
        query, items = self._read(i)
        labels = tuple(item.label for item in items)
        return Example(query, tuple(item.id for item in items), labels, frozenset({items[0].id}))

    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """The document with this id. Raises InputError where no record has it."""
        if id not in self._recent:
            place = self._places.find(id)
            if place is None:
                raise InputError(f"no record of {self._path} has a document {id!r}")
            record, item = place
            found = self._read(record)[1][item]
            if found.id != id:
                raise CollectionError(
                    f"{self._path}: the documents {id!r} and {found.id!r} cannot be told apart",
                    expected="ids whose 64-bit hashes differ",
                    fix="rename one of the two",
                )
            self._recent[id] = found.text
        return self._recent[id]

    @property
    def fingerprint(self) -> str:
        """sha256 over the records."""
        return self._records.fingerprint

    def _read(self, i: int) -> tuple[str, list[Item]]:
        query, items = self._parse(self._records[i], f"record {i + 1} of {self._path}")
        if len(self._recent) + len(items) > RECENT:
            self._recent.clear()
        # Only texts that stand here for the first time: an id means one text, wherever it was read.
        self._recent |= {item.id: item.text for k, item in enumerate(items) if self._places.find(item.id) == (i, k)}
        return query, items


def make_item(id: object, text: str, label: float, place: str) -> Item:  # noqa: A002
    """A document; one without an id gets the hash of its text. Raises CollectionError for an id that is none."""
    if id is None:
        return Item(digest_id(text), text, label)
    if isinstance(id, bool) or not isinstance(id, (str, int)) or id == "":
        raise CollectionError(f"{place}: the id of a document is text or a whole number", got=repr(id))
    return Item(str(id), text, label)


def as_label(value: object, place: str) -> float:
    """A number; None and empty text are unknown, NaN. Raises CollectionError."""
    if value is None or value == "":
        return math.nan
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) and not (isinstance(value, float) and math.isnan(value)):
        raise CollectionError(f"{place}: a score or label is a finite number, or empty", got=repr(value)[:80])
    return number


def as_string(value: object, what: str, place: str) -> str:
    """A text that says something. Raises CollectionError, which names what is missing."""
    if not isinstance(value, str):
        raise CollectionError(f"{place}: {what} is not text", got=repr(value)[:80])
    if not value.strip():
        raise CollectionError(f"{place}: {what} is empty")
    return value


def first_value(source: str) -> Any:
    """The first record of a file of JSON lines or a table, for telling its kind; None where there is none.

    Of a TSV file, which may have no header, it is the first line's fields, as names and values.
    """
    path = Path(source)
    if not path.is_file():
        return None
    if suffix(path) == ".tsv":
        return {field: field for _, fields in itertools.islice(read_tabs(path), 1) for field in fields} or None
    if suffix(path) not in JSONL_SUFFIXES | {".csv", ".parquet", ".pq"}:
        return None
    return next((value for _, value in read_values(path)), None)
