"""Columns of the rows table: what metadata becomes on the way in, and what comes back.

The first rows of an index fix its metadata columns and their types. A column that holds dictionaries or lists is kept
as JSON and comes back as dictionaries and lists (a tuple as a list). A column that is None in all the first rows holds
strings. Rows without a column hold None there. Later rows cannot bring new columns or other types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from hyperir.core.errors import InputError, nearest
from hyperir.core.types import Row
from hyperir.index.commit import Column

__all__ = [
    "OWN",
    "arrow_schema",
    "decode",
    "encode",
    "infer",
    "is_unicode",
    "plain",
]

OWN = ("id", "title", "text")  # keys of a row that are no metadata
TAKEN = {"key", "vector", *OWN}
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
NUMBERED = re.compile(r"column_\d+")
JSON = "json"
KINDS = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_timestamp,
    pa.types.is_date,
)
REFUSED = (pa.ArrowException, TypeError, ValueError, OverflowError)  # by Arrow, for values of another kind


def infer(rows: Sequence[Row]) -> tuple[tuple[Column, ...], dict[str, Any]]:
    """The metadata columns of the first rows of an index.

    Returns:
        the columns, and the Arrow types that they have in the table, by their names there.

    Raises:
        InputError: a column mixes types, or holds a type that cannot be stored.
    """
    names = dict.fromkeys(name for row in rows for name in row if name not in OWN)
    columns: list[Column] = []
    kinds: dict[str, Any] = {}
    taken = set(TAKEN)
    for number, name in enumerate(names):
        _check_name(name)
        # Names that Lance or its expressions could read otherwise get a neutral one; users never see it.
        odd = name.lower() in taken or not PLAIN.fullmatch(name) or NUMBERED.fullmatch(name)
        column = f"column_{number}" if odd else name
        taken.add(column.lower())
        values = [row.get(name) for row in rows]
        nested = any(isinstance(value, (dict, list, tuple)) for value in values)
        kinds[column] = pa.string() if nested else _kind(values, name)
        columns.append(Column(name=name, column=column, type=JSON if nested else str(kinds[column])))
    return tuple(columns), kinds


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not is_unicode(name):
        raise InputError("the name of a metadata column is no text", expected="a string", got=repr(name))


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold a text."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _kind(values: list[Any], name: str) -> Any:
    if all(value is None for value in values):
        return pa.string()
    try:
        kind = pa.array(values).type
    except REFUSED as error:
        raise InputError(
            f"the values of the metadata column {name!r} do not go together",
            expected="one type in a column",
            got=f"{_types(values)} ({error})",
        ) from error
    if not any(is_kind(kind) for is_kind in KINDS):
        raise InputError(
            f"values of the metadata column {name!r} cannot be stored",
            expected="booleans, numbers, strings, bytes, dates, times, or lists and dictionaries of these",
            got=str(kind),
            fix="turn them into strings",
        )
    return kind


def _types(values: Sequence[Any]) -> str:
    return ", ".join(sorted({type(value).__name__ for value in values if value is not None}))


def encode(rows: Sequence[Row], columns: Sequence[Column], types: Mapping[str, Any], first: int) -> dict[str, Any]:
    """Metadata values as Arrow columns, by the names that they have in the table.

    Args:
        rows: the documents.
        columns: the index's metadata columns.
        types: Arrow types, by the columns' names in the table.
        first: the place of `rows[0]` in this add, for errors.

    Raises:
        InputError: a column that the index does not have, or a value of another type.
    """
    known = {column.name for column in columns}
    for number, row in enumerate(rows):
        for name in row.keys() - known - set(OWN):
            _check_name(name)
            raise InputError(
                f"row {first + number} of this add, id {row['id']!r}, has a metadata column that the index does not",
                expected="metadata columns " + ", ".join(repr(c.name) for c in columns) if columns else "no metadata",
                got=repr(name),
                fix=nearest(name, known) or "leave it out, or make a new index whose first rows have all columns",
            )
    return {c.column: _encode_column([row.get(c.name) for row in rows], rows, c, types, first) for c in columns}


def _encode_column(values: list[Any], rows: Sequence[Row], column: Column, types: Mapping[str, Any], first: int) -> Any:
    kind, convert = types[column.column], _to_json if column.type == JSON else _same
    try:
        return pa.array([convert(value) for value in values], type=kind)
    except REFUSED as error:
        for number, value in enumerate(values):
            try:
                pa.array([convert(value)], type=kind)
            except REFUSED as reason:
                raise InputError(
                    f"row {first + number} of this add, id {rows[number]['id']!r}, does not fit the metadata column "
                    f"{column.name!r}",
                    expected=column.type,
                    got=f"{type(value).__name__} {plain(value)} ({reason})",
                ) from error
        raise


def plain(value: Any) -> str:
    """A value for an error message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _same(value: Any) -> Any:
    return value


def _to_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def decode(table: Any, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The metadata of every row of an Arrow table, by the users' names."""
    values = [table[column.column].to_pylist() for column in columns]
    for column, cells in zip(columns, values, strict=True):
        if column.type == JSON:
            cells[:] = [None if cell is None else json.loads(cell) for cell in cells]
    names = [column.name for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)] if names else [{}] * len(table)


def arrow_schema(kinds: Mapping[str, Any], vector: Any) -> Any:
    """The schema of the rows table, with metadata columns of these names and types, and vectors of this type."""
    own = ((name, pa.string()) for name in OWN)
    return pa.schema([("key", pa.int64()), *own, *kinds.items(), ("vector", vector)])
