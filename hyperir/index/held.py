"""Filters over columns that are held in memory: read when a filter first asks for them, and kept.

A column of a commit never changes. Arrow compares 250,000 numbers in a tenth of a millisecond; to have Lance read them
again for every new filter takes twenty times as long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import reduce
from typing import Any

import numpy as np

from hyperir.index.filters import And, Compare, Contains, Filter, In, IsNull, Not, Or, StartsWith
from hyperir.index.predicates import Target
from hyperir.index.schema import JSON, OWN
from hyperir.index.table import RowTable

__all__ = ["LIMIT", "Held"]

LIMIT = 256 << 20  # bytes of columns that are kept; a larger column is left to Lance
KERNELS = {"=": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
EPOCH = datetime(1970, 1, 1)
DAY = date(1970, 1, 1)
STEPS = {"s": (1, 1_000_000), "ms": (1, 1000), "us": (1, 1), "ns": (1000, 1)}  # units of a column in microseconds
Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Held:
    """The metadata columns of one commit that filters asked for.

    Args:
        table: the rows.
        rows: how many the commit has.
        limit: bytes kept; the columns asked for longest ago go.
    """

    def __init__(self, table: RowTable, rows: int, limit: int) -> None:
        self._table, self._rows, self._limit = table, rows, limit
        self._columns: OrderedDict[str, Any] = OrderedDict()
        self._refused: set[str] = set()

    def mask(self, tree: Filter, known: Mapping[str, Target]) -> Bools | None:
        """(N,) bool, true where a filter is true, or None where a column cannot be held.

        Args:
            tree: a filter for which `predicate` found nothing wrong.
            known: what it may name.
        """
        import pyarrow.compute as pc

        columns = {}
        for name in dict.fromkeys(_names(tree)):
            column = self._column(known[name])
            if column is None:
                return None
            columns[name] = column
        found: Bools = pc.fill_null(_passing(tree, columns, known), False).to_numpy(zero_copy_only=False)
        return found

    def _column(self, target: Target) -> Any:
        name = target.column
        if name not in self._columns:
            if name in self._refused or name in OWN or not _fits(target.type):
                return None
            read = self._read(target)
            if read is None:
                self._refused.add(name)
                return None
            self._columns[name] = read
            while sum(column.nbytes for column in self._columns.values()) > self._limit:
                self._columns.popitem(last=False)
            return read
        self._columns.move_to_end(name)
        return self._columns[name]

    def _read(self, target: Target) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts, size = [], 0
        for batch in self._table.scan([target.column]):
            parts.append(batch.column(0))
            size += parts[-1].nbytes
            if size > self._limit:
                return None
        column = pa.chunked_array(parts, target.type).combine_chunks()
        if len(column) != self._rows:  # the table holds rows that the commit does not
            return None
        if pa.types.is_date(target.type):
            return column.view(pa.int32())
        if pa.types.is_timestamp(target.type):
            return column.view(pa.int64())
        if pa.types.is_floating(target.type):
            wider = column.cast(pa.float32()) if target.type == pa.float16() else column  # no kernel compares float16
            return pc.add(wider, pa.scalar(0, wider.type))  # -0.0 becomes 0.0, which a look into a set tells apart
        return column


def _fits(kind: Any) -> bool:
    import pyarrow as pa

    if kind == JSON:
        return False
    tests = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_date32)
    return any(is_kind(kind) for is_kind in (*tests, pa.types.is_timestamp, pa.types.is_string))


def _names(tree: Filter) -> Iterator[str]:
    match tree:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _names(part)
        case Not(part):
            yield from _names(part)
        case _:
            yield tree.column


def _passing(tree: Filter, columns: Mapping[str, Any], known: Mapping[str, Target]) -> Any:
    """True, false or null for every row, as an Arrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    match tree:
        case And(parts):
            return reduce(pc.and_kleene, (_passing(part, columns, known) for part in parts))
        case Or(parts):
            return reduce(pc.or_kleene, (_passing(part, columns, known) for part in parts))
        case Not(part):
            return pc.invert(_passing(part, columns, known))
        case IsNull(name):
            return pc.is_null(columns[name])
        case StartsWith(name, text):
            return pc.starts_with(columns[name], text)
        case Contains(name, text):
            return pc.match_substring(columns[name], text)
        case In(name, values):
            column = columns[name]
            wanted = pa.array([_value(known[name], value) for value in values if value is not None], column.type)
            unknown = pa.scalar(None, pa.bool_())
            found = pc.if_else(pc.is_null(column), unknown, pc.is_in(column, value_set=wanted))
            return pc.or_kleene(found, unknown) if len(wanted) < len(values) else found
        case Compare(name, operator, value):
            column = columns[name]
            taken = None if value is None else _value(known[name], value)
            return pc.call_function(KERNELS[operator], [column, pa.scalar(taken, column.type)])


def _value(target: Target, value: Any) -> bool | str | int | float:
    """A value as a held column has it: dates in days, times in the column's unit since 1970, and no -0.0."""
    match taken := target.taken(value):
        case datetime():
            since = taken - EPOCH
            times, over = STEPS[target.type.unit]
            return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) * times // over
        case date():
            return (taken - DAY).days
        case float():
            return taken + 0.0
    return taken
