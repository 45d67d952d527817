"""From a record with named columns to a document: which column is the id, which the text, which the title."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError, nearest
from hyperir.core.types import Row

__all__ = ["ID", "TEXT", "Column", "ColumnsConfig", "RowMaker", "as_id", "as_text"]


@dataclass(frozen=True)
class Column:
    """What is looked for in every record.

    Args:
        what: its name in errors.
        names: the columns that are tried, in this order.
        option: how the user names another column; empty where that is not possible.
    """

    what: str
    names: tuple[str, ...]
    option: str = ""

    def find(self, wanted: str | None, known: Iterable[str], place: str) -> str:
        """The column to use.

        Raises:
            CollectionError: says which columns there are, which is nearest, and how to name it.
        """
        known = list(known)
        tried = (wanted,) if wanted is not None else self.names
        for name in tried:
            if name in known:
                return name
        close = next((hint for name in tried if (hint := nearest(name, known))), "")
        fixes = [close, f"name the column with {self.option} NAME" if self.option else f"rename one to {tried[0]!r}"]
        raise CollectionError(
            f"{place} has no {self.what} column",
            expected=("a column " if len(tried) == 1 else "one of the columns ") + ", ".join(tried),
            got="columns " + ", ".join(known) if known else "no column",
            fix=" ".join(fix for fix in fixes if fix),
        )


ID = Column("id", ("_id", "id", "docid", "doc_id", "docno", "pid"), "--id-column")
TEXT = Column("text", ("text", "contents", "body", "passage", "content"), "--text-column")
TITLE = Column("title", ("title",), "--title-column")


class ColumnsConfig(Config):
    """A source whose records have named columns; None stands for the usual names."""

    source: str
    id_column: str | None = None
    text_column: str | None = None
    title_column: str | None = None


class RowMaker:
    """Makes documents of one file's records; the columns of the first record are used in all that have them.

    Args:
        config: the columns that the user named.
        path: the file, for errors.
        unit: what its records are called in errors, "line" or "row".
    """

    def __init__(self, config: ColumnsConfig, path: Path, unit: str) -> None:
        self._config, self._path, self._unit = config, path, unit
        self._bound: tuple[str, str, str] | None = None

    def bind(self, names: Iterable[str], place: str) -> None:
        """Settle which columns are used, given those there are. Raises CollectionError where one is missing."""
        names, config = list(names), self._config
        title = TITLE.find(config.title_column, names, place) if config.title_column is not None else TITLE.names[0]
        self._bound = ID.find(config.id_column, names, place), TEXT.find(config.text_column, names, place), title

    def __call__(self, values: Mapping[str, Any], number: int) -> Row:
        """The document of record `number`. Other columns become metadata, their values as they are.

        A column that is called `id`, `text` or `title` and is not used as that is renamed: `id_`, `text_`, `title_`.

        Raises:
            CollectionError: no id or text, an empty id, or values that cannot be an id or a text.
        """
        if self._bound is None:
            self.bind(values, self._place(number))
            assert self._bound is not None
        id_, text, title = self._bound
        if id_ not in values:  # another usual name will do
            id_ = ID.find(self._config.id_column, values, self._place(number))
        if text not in values:
            text = TEXT.find(self._config.text_column, values, self._place(number))
        try:
            row: Row = {
                "id": as_id(values[id_]),
                "text": as_text(values[text], text),
                "title": as_text(values.get(title), title),
            }
        except ValueError as error:
            raise CollectionError(f"{self._place(number)}: {error}") from None
        for key, value in values.items():
            if key not in (id_, text, title):
                while key in row:
                    key += "_"
                row[key] = value
        return row

    def _place(self, number: int) -> str:
        return f"{self._unit} {number} of {self._path}"


def as_id(value: object) -> str:
    """An id as text: 7 and 7.0 are "7". Raises ValueError where the value is empty or cannot be an id."""
    if isinstance(value, bytes):
        value = _decoded(value, "id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # tables with gaps store whole numbers as floats
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    ):
        raise ValueError("the id is empty")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"the id must be text or a number, not {type(value).__name__}: {_short(value)}")
    return str(value)


def as_text(value: object, column: str) -> str:
    """A text; a missing value is empty. Raises ValueError where the value is not text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _decoded(value, column)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"the column {column!r} must hold text, not {type(value).__name__}: {_short(value)}")


def _decoded(value: bytes, column: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the column {column!r} holds bytes that are not UTF-8: 0x{value[error.start]:02x}") from None


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
