"""A table with every awkward value that filters meet, and the definition, in Python, of what passes."""

import operator
from datetime import UTC, date, datetime

import torch

from hyperir.index.filters import And, Compare, Contains, In, IsNull, Not, Or, StartsWith
from hyperir.index.store import Store

NAN, INF = float("nan"), float("inf")
COLUMNS = {
    "i": [-(2**63), 2**63 - 1, -(2**53) - 1, -1, 0, 1, 2, 2020, None],
    "f": [NAN, -NAN, INF, -INF, 0.0, -0.0, 1e300, -1.5, 5e-324, None],
    "s": ["", "a", "a'b", 'a"b', "a\\", "a\0b", "é\U0010ffff", "%_", "x' OR 'a'='a", "A", None],
    "flag": [True, False, None],
    "day": [date(1, 1, 1), date(2020, 2, 29), date(9999, 12, 31), None],
    "time": [datetime(1, 1, 1), datetime(2020, 2, 29, 1, 2, 3, 4), datetime(9999, 12, 31, 23, 59, 59, 999999), None],
    "zoned": [datetime(2020, 2, 29, 1, 2, 3, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC), None],
    "key": [1, 2, None],  # under a neutral name in the table, for Lance's own column is called so
    "odd `name`, or": ["x", None],
    "Select": [7, 8],
    "nested": [{"a": 1}, [], None],
}
OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
N = 61


def make_row(number):
    row = {name: values[number * (3 + place) % len(values)] for place, (name, values) in enumerate(COLUMNS.items())}
    return {"id": f"d{number}", "text": f"text {number % 7}", **({"title": "T"} if number % 2 else {}), **row}


ROWS = [make_row(number) for number in range(N)]


def make_store(path, rows):
    store = Store.create(path, width=3)
    cut = len(rows) // 2
    for part in (rows[:cut], rows[cut:]):
        with store.writer() as writer:
            writer.append(part, torch.randn(len(part), 3))
    return store.refresh()


def passing(store, where):
    return store.allowed(where).nonzero().flatten().tolist()


# The definition, in Python: True, False, or None for unknown.


def holds(tree, row):
    match tree:
        case And(parts):
            found = [holds(part, row) for part in parts]
            return False if False in found else None if None in found else True
        case Or(parts):
            found = [holds(part, row) for part in parts]
            return True if True in found else None if None in found else False
        case Not(part):
            found = holds(part, row)
            return None if found is None else not found
        case IsNull(column):
            return row.get(column) is None
        case StartsWith(column, text):
            return None if row.get(column) is None else row[column].startswith(text)
        case Contains(column, text):
            return None if row.get(column) is None else text in row[column]
        case In(column, values):
            return holds(Or(tuple(Compare(column, "=", value) for value in values)), row)
        case Compare(column, name, value):
            mine = row.get(column)
            if mine is None or value is None:
                return None
            if isinstance(mine, datetime):
                value = datetime.fromisoformat(value)
                value = value.replace(tzinfo=UTC) if mine.tzinfo and not value.tzinfo else value
            elif isinstance(mine, date):
                value = date.fromisoformat(value)
            return OPERATORS[name](mine, value)


def quoted(text, mark):
    return mark + text.replace(mark, mark * 2) + mark
