"""What Lance evaluates for a filter: a predicate written anew from the tree, after its columns and types are checked.

It is SQL, in which only the table's own neutral column names, operators of ours and re-written literals stand. Arrow
expressions, Lance's other door, were tried: they refuse unsigned numbers, float16 and nanoseconds, and 30 nested
expressions hung the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from hyperir.core.errors import CorruptError, InputError, UnknownNameError
from hyperir.index.commit import Column
from hyperir.index.filters import MAX_DEPTH, And, Compare, Contains, Filter, In, IsNull, Not, Or, StartsWith
from hyperir.index.schema import JSON, OWN, PLAIN, plain

__all__ = ["Target", "predicate", "targets"]

DEEPEST = MAX_DEPTH + 2  # "not between" costs two that its author did not write
UNKNOWN = "CAST(NULL AS BOOLEAN)"
FINER = re.compile(r"\.\d{7}")
UNITS = {"s": (0, 1_000_000), "ms": (3, 1000), "us": (6, 1), "ns": (9, 1)}  # digits of a second, and microseconds
FLOATS: dict[Any, type[np.floating]] = {
    pa.float16(): np.float16,
    pa.float32(): np.float32,
    pa.float64(): np.float64,
}


def targets(columns: Sequence[Column], types: Mapping[str, Any]) -> dict[str, Target]:
    """What filters over an index may name, by the users' names.

    Args:
        columns: the index's metadata columns.
        types: Arrow types, by the columns' names in the table.

    Raises:
        CorruptError: the index names a column as no index does.
    """
    known = {name: Target(name, name, types[name]) for name in OWN}
    for column in columns:
        if not PLAIN.fullmatch(column.column):
            raise CorruptError("the commit gives a column an impossible name", got=plain(column.column))
        known[column.name] = Target(column.name, column.column, JSON if column.type == JSON else types[column.column])
    return known


def predicate(tree: Filter, known: Mapping[str, Target]) -> str:
    """The predicate of a filter over `targets`.

    Raises:
        UnknownNameError: a column that the index does not have; names the nearest.
        InputError: a value of another type than the column's, or a tree that is too deep.
    """
    return _write(tree, known, 0, "")


def _write(tree: Filter, known: Mapping[str, Target], depth: int, parent: str) -> str:
    """The part `tree` of the predicate, with as few brackets as can be, for Lance's parser allows only some.

    Args:
        depth: brackets and negations around it.
        parent: the operator around it, or "".
    """
    if depth > DEEPEST:
        raise InputError("the filter is too deep", expected=f"at most {DEEPEST} parts inside each other")
    match tree:
        case And(parts) | Or(parts):
            if not parts:
                raise InputError("a filter of no parts", expected="one part or more", got=plain(tree))
            word = "AND" if isinstance(tree, And) else "OR"
            bare = parent == "" or (word, parent) == ("AND", "OR")
            inside = f" {word} ".join(_write(part, known, depth + (not bare), word) for part in parts)
            return inside if bare else f"({inside})"
        case Not(part):
            return f"NOT {_write(part, known, depth + 1, 'NOT')}"
        case IsNull(column):
            return f"{_find(column, known).quoted} IS NULL"
        case StartsWith(column, text) | Contains(column, text):
            target = _find(column, known)
            if not _is_text(target.type) or not isinstance(text, str):
                raise target.refusal(text, "text on both sides")
            name = "starts_with" if isinstance(tree, StartsWith) else "contains"
            return f"{name}({target.quoted}, {_text(text)})"
        case In(column, values):
            return _in(_find(column, known), values)
        case Compare(column, operator, value):
            return _compare(_find(column, known), operator, value)


def _find(name: str, known: Mapping[str, Target]) -> Target:
    if name not in known:
        raise UnknownNameError("column", name, known)
    return known[name]


def _in(target: Target, values: Sequence[Any]) -> str:
    if not values:
        raise InputError(f"in () for the column {target.name!r}", expected="one value or more")
    literals = [target.literal(value) for value in values if value is not None]
    found = f"{target.quoted} IN ({', '.join(literals)})" if literals else UNKNOWN
    return found if len(literals) == len(values) else f"({found} OR {UNKNOWN})"


def _compare(target: Target, operator: str, value: Any) -> str:
    if operator not in ("=", "!=", "<", "<=", ">", ">="):
        raise InputError(f"there is no operator {operator!r}", expected="=, !=, <, <=, > or >=")
    if value is None:
        return UNKNOWN
    literal = target.literal(value)
    ordered = operator not in ("=", "!=")
    if ordered and target.type == pa.bool_():
        raise target.refusal(value, "= or != with true or false", operator)
    written = f"{target.quoted} {operator} {literal}"
    # Lance sorts NaN above or below all numbers; here, as everywhere else, it is in no order at all.
    return f"({written} AND NOT isnan({target.quoted}))" if ordered and target.type in FLOATS else written


@dataclass(frozen=True)
class Target:
    """A column: its name for users, its name in the table, its Arrow type or "json"."""

    name: str
    column: str
    type: Any

    @property
    def quoted(self) -> str:
        return f"`{self.column}`"

    def refusal(self, value: Any, expected: str, operator: str = "") -> InputError:
        return InputError(
            f"the column {self.name!r} ({self.type}) cannot be compared with {operator or 'the value'} {plain(value)}",
            expected=expected,
            got=type(value).__name__,
        )

    def literal(self, value: Any) -> str:
        """The value as the column's type holds it, written for Lance."""
        taken = self.taken(value)
        match taken:
            case bool():
                return str(taken).lower()
            case str():
                return _text(taken)
            case datetime():
                return f"CAST('{taken.isoformat(sep=' ')}' AS TIMESTAMP({UNITS[self.type.unit][0]}))"
            case date():
                return f"date '{taken.isoformat()}'"
            case int() if taken == -(2**63):  # Lance reads it as the negation of a number that is too large
                return f"CAST('{taken}' AS BIGINT)"
        return repr(taken)

    def taken(self, value: Any) -> bool | str | int | float | date | datetime:
        """The value as the column's type holds it; a time in UTC, without a zone.

        Raises:
            InputError: a value of another type.
        """
        kind = self.type
        if kind == JSON or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_date64(kind):
            raise self.refusal(value, '"is null" or "is not null": values of this column have no order')
        if pa.types.is_boolean(kind):
            if not isinstance(value, bool):
                raise self.refusal(value, "true or false")
            return value
        if _is_text(kind):
            if not isinstance(value, str):
                raise self.refusal(value, "a string in quotes")
            return _checked(value)
        if pa.types.is_integer(kind):
            return self._integer(value)
        if pa.types.is_floating(kind):
            return self._float(value)
        if not isinstance(value, str):
            raise self.refusal(value, "an ISO date in quotes")
        return self._date(value) if pa.types.is_date(kind) else self._time(value)

    def _integer(self, value: Any) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise self.refusal(value, "a whole number")
        number = int(value)
        limits = np.iinfo(self.type.to_pandas_dtype())
        if not limits.min <= number <= limits.max:
            raise self.refusal(value, f"a number from {limits.min} to {limits.max}")
        return number

    def _float(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refusal(value, "a number")
        try:
            with np.errstate(over="ignore"):
                number = float(np.array(value, FLOATS[self.type]))
        except OverflowError:
            number = np.inf
        if not np.isfinite(number):
            raise self.refusal(value, f"a finite number that {self.type} can hold")
        return number

    def _date(self, value: str) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise self.refusal(value, "an ISO date such as '2020-12-31'") from None

    def _time(self, value: str) -> datetime:
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise self.refusal(value, "an ISO date or time such as '2020-12-31T23:59:59'") from None
        if time.tzinfo is not None:
            if self.type.tz is None:
                raise self.refusal(value, "a time without a zone, as the column's times have none")
            try:
                time = time.astimezone(UTC).replace(tzinfo=None)
            except OverflowError:
                raise self.refusal(value, "a time of the years 1 to 9999 in UTC") from None
        digits, step = UNITS[self.type.unit]
        if FINER.search(value) or time.microsecond % step:
            raise self.refusal(value, f"a time in whole {self.type.unit if digits < 9 else 'us'}")
        if digits == 9 and not 1678 <= time.year <= 2261:
            raise self.refusal(value, "a time of the years 1678 to 2261")
        return time


def _is_text(kind: Any) -> bool:
    return kind != JSON and bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(value: str) -> str:
    return "'" + _checked(value).replace("'", "''") + "'"


def _checked(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError("a text of the filter is not valid Unicode", got=plain(value)) from None
    return value
