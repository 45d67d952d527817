"""Scalar indices over columns of the rows table, by the names that users know."""

from __future__ import annotations

from collections.abc import Iterable

from hyperir.core.errors import InputError, nearest
from hyperir.index import table
from hyperir.index.commit import Column
from hyperir.index.draft import Draft

__all__ = ["check_columns", "index_column"]

ID = "id"
REFUSED = ("json", "binary", "halffloat")  # types without an order that filters use


def check_columns(names: Iterable[str], columns: Iterable[Column] | None) -> list[str]:
    """The names as a list, each of a column that can have an index.

    Raises:
        InputError: a bare string, a column that is not there, or one of another type.
    """
    if isinstance(names, str):
        raise InputError("one name where many are taken", expected=f"a list: [{names!r}]", got="a string")
    if columns is None:
        raise InputError("an index without rows has no columns", fix="add documents first")
    types = {ID: "string"} | {column.name: column.type for column in columns}
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in types:
            raise InputError(
                f"there is no metadata column {name!r} in the index",
                expected="one of " + ", ".join(repr(known) for known in types),
                fix=nearest(str(name), types),
            )
        if types[name] in REFUSED:
            raise InputError(
                f"the metadata column {name!r} cannot be indexed",
                expected="numbers, strings, dates, times or booleans",
                got=types[name],
            )
    return wanted


def index_column(draft: Draft, name: str) -> None:
    """Make the scalar index of a column, over all rows of a draft; an older one is replaced."""
    by_name = {ID: ID} | {column.name: column.column for column in draft.metadata or ()}
    draft.version = table.make_scalar_index(draft.place, draft.version, by_name[name])
    draft.indexed = tuple(sorted({*draft.indexed, name}))
