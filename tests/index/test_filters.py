"""Filters: what is read from text, what is refused and where, and what passes against an evaluation in Python."""

import shutil
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
import torch
from filter_parts import COLUMNS, INF, NAN, OPERATORS, ROWS, N, holds, make_store, passing, quoted
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperir.core.errors import CorruptError, InputError, UnknownNameError
from hyperir.index.commit import Column
from hyperir.index.filters import MAX_DEPTH, And, Compare, Contains, In, IsNull, Not, Or, StartsWith, parse
from hyperir.index.held import Held
from hyperir.index.masks import KEPT, Masks
from hyperir.index.predicates import targets
from hyperir.index.store import Store
from hyperir.index.table import RowTable


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("filters") / "some.index", ROWS)


def written(tree):
    """The tree in the language, with all brackets."""
    match tree:
        case And(parts) | Or(parts):
            return "(" + (" AND " if isinstance(tree, And) else " or ").join(map(written, parts)) + ")"
        case Not(part):
            return f"nOt {written(part)}"
        case IsNull(column):
            return f"{quoted(column, '`')} is null"
        case StartsWith(column, text):
            return f"starts_with({quoted(column, '`')}, {quoted(text, chr(34))})"
        case Contains(column, text):
            return f"CONTAINS({quoted(column, '`')},{quoted(text, chr(39))})"
        case In(column, values):
            return f"{quoted(column, '`')} in ({','.join(map(literal, values))})"
        case Compare(column, name, value):
            return f"{quoted(column, '`')}{name}{literal(value)}"


def literal(value):
    if isinstance(value, str):
        return quoted(value, "'")
    return (
        {None: "null", True: "true", False: "FALSE"}[value] if value is None or isinstance(value, bool) else repr(value)
    )


def values_of(column):
    known = [value for value in COLUMNS[column] if value is not None]
    if column == "f":
        return st.sampled_from([v for v in known if np.isfinite(v)]) | st.floats(allow_nan=False, allow_infinity=False)
    if column in ("i", "key", "Select"):
        return st.sampled_from(known) | st.integers(-(2**63), 2**63 - 1)
    if column in ("day", "time", "zoned"):
        return st.sampled_from([value.isoformat() for value in known])
    if column == "s":
        return st.sampled_from(known) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    return st.sampled_from(known)


def some_compare(column):
    names = list(OPERATORS) if column != "flag" else ["=", "!="]
    value = values_of(column) | st.none()
    return st.builds(Compare, st.just(column), st.sampled_from(names), value) | st.builds(
        In, st.just(column), st.lists(value, min_size=1, max_size=4).map(tuple)
    )


texts = st.sampled_from(["id", "text", "title", "s", "odd `name`, or"])
pieces = st.sampled_from(["", "a", "a'", "\\", "%", "_", "\0", "é", "\U0010ffff", "T", "d1"])
leaves = (
    st.sampled_from([name for name in COLUMNS if name != "nested"]).flatmap(some_compare)
    | st.builds(IsNull, st.sampled_from([*COLUMNS, "title"]))
    | st.builds(StartsWith, texts, pieces)
    | st.builds(Contains, texts, pieces)
)
trees = st.recursive(
    leaves,
    lambda part: (
        st.builds(Not, part)
        | st.builds(And, st.lists(part, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(part, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def by_lance(store):
    """Masks that hold no column in memory."""
    return Masks(store._rows, store.commit.metadata, store.docs, held=0)


@settings(max_examples=300, deadline=None)
@given(tree=trees)
def test_what_passes_is_what_the_definition_says(store, by_lance, tree):
    expected = [place for place, row in enumerate(ROWS) if holds(tree, row) is True]
    assert passing(store, tree) == expected
    assert by_lance(tree).nonzero().flatten().tolist() == expected
    text = written(tree)
    assert parse(text) == tree
    assert passing(store, text) == expected


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("year >= 2020", Compare("year", ">=", 2020)),
        ("year>=-5", Compare("year", ">=", -5)),
        ("year == 1", Compare("year", "=", 1)),
        ("year <> 1", Compare("year", "!=", 1)),
        ("x = .5e1", Compare("x", "=", 5.0)),
        ("x = " + "0" * 5000 + "7", Compare("x", "=", 7)),
        ("lang = 'it''s'", Compare("lang", "=", "it's")),
        ('lang = "say ""so"""', Compare("lang", "=", 'say "so"')),
        ("`a ``b` = NULL", Compare("a `b", "=", None)),
        ("größe > 1 or contains = 1", Or((Compare("größe", ">", 1), Compare("contains", "=", 1)))),
        ("a not in (1, 'b', true)", Not(In("a", (1, "b", True)))),
        ("a is not null", Not(IsNull("a"))),
        ("a between 1 and 2 and b is null", And((And((Compare("a", ">=", 1), Compare("a", "<=", 2))), IsNull("b")))),
        ("a is null or b is null and not c is null", Or((IsNull("a"), And((IsNull("b"), Not(IsNull("c"))))))),
        ("(a is null or b is null) and c is null", And((Or((IsNull("a"), IsNull("b"))), IsNull("c")))),
    ],
)
def test_reading(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "at", "expected", "got"),
    [
        ("", 1, 'a column, "not" or "("', "the end"),
        ("year >=", 8, "a number", "the end"),
        ("year >= )", 9, "a number", "')'"),
        ("lang = en", 8, "text stands in quotes", "'en'"),
        ("year 2020", 6, "an operator", "'2020'"),
        ("2020 <= year", 1, "a column", "'2020 <= year'"),
        ("year = 2020abc", 8, "a column, a value", "'2020abc'"),
        ("year = 1 year = 2", 10, '"and", "or" or the end', "'year = 2'"),
        ("(year = 1", 10, '")"', "the end"),
        ("year in ()", 10, "a number", "')'"),
        ("year not = 1", 10, '"in" or "between"', "'= 1'"),
        ("year is 1", 9, '"null"', "'1'"),
        ("lang = 'en", 8, "the closing '", '"\'en"'),
        ("year = 1; drop", 9, "a column, a value or an operator", "'; drop'"),
        ("lower(lang) = 'en'", 1, "starts_with", "lower"),
        ("starts_with(lang, 3)", 19, "a string", "'3)'"),
        ("x = 1e999", 5, "below 1.8e308", "'1e999'"),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_place(text, at, expected, got):
    with pytest.raises(InputError, match=f"at character {at}\n") as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    assert lines[1][4:] == text
    assert lines[2].index("^") == 4 + at - 1
    assert expected in caught.value.expected
    assert got in caught.value.got


def test_long_filters_are_refused_and_shown_in_part():
    with pytest.raises(InputError, match="up to 10,000 characters"):
        parse("a = 1 or " * 1200 + "a = 1")
    with pytest.raises(InputError) as caught:
        parse("a = 1 or\n" * 1000 + "a =")
    shown, caret = str(caught.value).splitlines()[1:3]
    assert len(shown) < 110
    assert caret.index("^") == len(shown)
    with pytest.raises(InputError, match="a filter is a string"):
        parse(None)


DEEP = {
    "brackets": ("(", "i = 1", ")"),
    "negations": ("not ", "i = 1", ""),
    "both": ("not (", "i = 1", ")"),
    "precedences": ("(i = 1 or i > 5 and ", "f not between 1 and 3 or f in (1, null)", ")"),
    "all": ("i = 1 or i > 5 and not (", "not starts_with(s, 'a') or not f < 3", ")"),
}


@pytest.mark.parametrize("before, inside, after", DEEP.values(), ids=DEEP)  # noqa: PT006
def test_what_is_as_deep_as_allowed_is_evaluated_and_what_is_deeper_refused(store, before, inside, after):
    times = MAX_DEPTH // max(before.count("(") + before.count("not"), 1) - ("not" in inside and "not" in before)
    deep = before * times + inside + after * times
    assert passing(store, deep) == [place for place, row in enumerate(ROWS) if holds(parse(deep), row) is True]
    for more in (MAX_DEPTH + 1, 800 // len(before)):
        with pytest.raises(InputError, match="inside each other"):
            parse(before * more + inside + after * more)


def test_a_wide_filter_is_evaluated(store):
    assert passing(store, " or ".join(f"i = {n}" for n in range(800))) == passing(store, "i >= 0 and i < 800")


@pytest.mark.parametrize("wrap", [Not, lambda part: And((part, part)), lambda part: Or((IsNull("i"), And((part,))))])
def test_a_tree_made_by_hand_cannot_exhaust_the_stack(store, wrap):
    tree = IsNull("i")
    for _ in range(5000):
        tree = wrap(tree)
    with pytest.raises(InputError, match="too deep"):
        store.allowed(tree)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("i = 'a'", "'i' (int64) cannot be compared with the value 'a'"),
        ("i = true", "'i' (int64)"),
        ("i = 1.5", "a whole number"),
        ("i < 9223372036854775808", "9223372036854775807"),
        ("f = '1'", "'f' (double)"),
        ("f = true", "'f' (double)"),
        ("f = 1" + "0" * 308, ""),
        ("s = 1", "'s' (string)"),
        ("starts_with(i, 'a')", "text on both sides"),
        ("flag = 1", "true or false"),
        ("flag < true", "cannot be compared with < True"),
        ("day = '2020'", "an ISO date"),
        ("day = 2020", "an ISO date in quotes"),
        ("time = 'noon'", "an ISO date or time"),
        ("time = '2020-01-01T00:00:00Z'", "without a zone"),
        ("zoned = '0001-01-01T00:00:00+05:00'", "years 1 to 9999"),
        ("time = '2020-01-01T00:00:00.1234567'", "whole us"),
        ("nested = 'a'", "is null"),
        ("contains(nested, 'a')", "text on both sides"),
    ],
)
def test_a_value_of_another_type_is_refused(store, where, told):
    if not told:
        assert passing(store, where) == []
        return
    with pytest.raises(InputError) as caught:
        store.allowed(where)
    assert told in str(caught.value)


@pytest.mark.parametrize("value", [NAN, INF, 10**400, b"a", object(), "\ud800"])
@pytest.mark.parametrize("column", ["i", "f", "s", "flag", "day", "time"])
def test_values_that_no_text_can_write_are_refused(store, column, value):
    with pytest.raises(InputError):
        store.allowed(Compare(column, "=", value))


@pytest.mark.parametrize(
    "tree", [Compare("i", "; drop", 1), In("i", ()), And(()), StartsWith("s", 1), Contains("s", None)]
)
def test_trees_that_no_text_gives_are_refused(store, tree):
    with pytest.raises(InputError):
        store.allowed(tree)


@pytest.mark.parametrize("name", ["vector", "_rowid", "_rowaddr", "column_0", "column_7", "select", "I", ""])
def test_a_wrong_column_names_the_known_ones(store, name):
    with pytest.raises(UnknownNameError, match="Select, day, f, flag, i, id"):
        store.allowed(IsNull(name))


def test_a_wrong_column_names_the_nearest(store):
    with pytest.raises(UnknownNameError, match="did you mean 'title'"):
        store.allowed("titel = 'T'")


def test_a_commit_cannot_name_a_column_with_more_than_a_name():
    import pyarrow as pa

    types = dict.fromkeys(["id", "title", "text", "x` OR `id"], pa.string())
    with pytest.raises(CorruptError, match="impossible name"):
        targets([Column(name="x", column="x` OR `id", type="string")], types)


PARTS = [
    "'",
    '"',
    "`",
    "\\",
    ";",
    "--",
    "/*",
    "*/",
    ")",
    "(",
    "1=1",
    "true",
    "..",
    "/",
    "%",
    "_",
    "\\'",
    "''",
    "${x}",
    "{0}",
    "é",
    "key",
    "vector",
]
PARTS += [" OR ", "DROP TABLE t", " UNION SELECT ", "\0", "\n", "\x1a", "\u2019", "\u202e"]


def payloads():
    random = torch.Generator().manual_seed(0)
    for _ in range(1000):
        count = int(torch.randint(1, 7, (1,), generator=random))
        yield "".join(PARTS[i] for i in torch.randint(len(PARTS), (count,), generator=random).tolist())


@pytest.mark.slow
def test_a_thousand_payloads_stay_what_they_are(tmp_path):
    """As a value a payload finds the rows that hold it; as a column or filter it is refused, or means what it says."""
    values = list(payloads())
    rows = [{"id": f"d{n}", "text": "", "s": value} for n, value in enumerate(values)]
    store = make_store(tmp_path / "payloads.index", rows)
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    for value in values:
        same = [place for place, other in enumerate(values) if other == value]
        mark = "'" if "'" not in value else '"'
        assert passing(store, f"s = {quoted(value, mark)}") == same
        with pytest.raises(UnknownNameError):
            store.allowed(f"{quoted(value, '`')} = 'a'")
        for raw in (f"s = '{value}'", f"s = {value}", value):
            try:
                found = passing(store, raw)
            except InputError:
                continue
            assert found == [place for place, row in enumerate(rows) if holds(parse(raw), row)]
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before


def test_numbers_and_times_of_every_width(tmp_path):
    rows = [
        {
            "id": str(n),
            "text": "",
            "u": np.uint64(2**64 - 1 - n),
            "small": np.int8(n - 128),
            "half": np.float16(n / 10),
            "single": np.float32(n / 10),
            "ns": np.datetime64("2020-01-01T00:00:00.000001", "ns") + n,
            "ms": np.datetime64("2020-01-01T00:00:00", "ms") + n,
            "blob": b"x",
        }
        for n in range(5)
    ]
    store = make_store(tmp_path / "wide.index", rows)
    assert passing(store, "u = 18446744073709551615") == [0]
    assert passing(store, "u < 18446744073709551613") == [3, 4]
    assert passing(store, "small in (-128, -124)") == [0, 4]
    for column in ("half", "single"):  # a number is taken in the column's precision
        assert passing(store, f"{column} = 0.1") == [1]
        assert passing(store, f"{column} > 0.1") == [2, 3, 4]
        assert passing(store, f"not {column} >= 0.2") == [0, 1]
    assert passing(store, "ns > '2020-01-01T00:00:00.000001'") == [1, 2, 3, 4]
    assert passing(store, "ms in ('2020-01-01', '2020-01-01T00:00:00.003')") == [0, 3]
    assert passing(store, "blob is not null") == [0, 1, 2, 3, 4]
    refused = ["u = -1", "small = 128", "half = 70000", "single = 1e39", "ns = '1500-01-01'", "blob = 'x'",
               "ms = '2020-01-01T00:00:00.000001'"]  # fmt: skip
    for where in refused:
        with pytest.raises(InputError, match="cannot be compared"):
            store.allowed(where)


def test_a_column_is_read_once_and_within_the_limit(store, monkeypatch):
    read = []
    scan = RowTable.scan
    monkeypatch.setattr(
        RowTable, "scan", lambda *given, **named: read.append((given[1], named)) or scan(*given, **named)
    )
    held = 2 * 8 * N + 2 * 8  # bytes of two columns of numbers and of their nulls
    masks = Masks(RowTable(store.place, store.commit.lance_version), store.commit.metadata, store.docs, held)
    for where in ("i > 0", "i > 1", "f > 0", "i > 2 and f > 1", "time > '2020-01-01'", "i > 3"):
        masks(where)
    numbers = {column.name: column.column for column in store.commit.metadata}
    assert read == [([numbers[name]], {}) for name in ("i", "f", "time", "i")]  # the first went when the third came
    del read[:]
    small = Masks(store._rows, store.commit.metadata, store.docs, held=100)
    for where in ("i > 0", "i > 1", "flag = true or i > 1"):
        small(where)
    assert [columns for columns, named in read if not named] == [["i"], ["flag"]]  # tried once; and it fits
    del read[:]
    masks("contains(text, 'a') and i > 0")
    assert "where" in read[0][1]


def test_times_with_a_zone_are_compared_in_utc(store):
    zoned = [row["zoned"] for row in ROWS]
    wanted = datetime(2020, 2, 29, 3, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert passing(store, f"zoned = '{wanted.isoformat()}'") == [n for n, value in enumerate(zoned) if value == wanted]
    assert passing(store, "zoned = '2020-02-29 01:02:03'") == passing(store, f"zoned = '{wanted.isoformat()}'")


def test_an_index_without_rows_has_an_empty_mask(tmp_path):
    empty = Store.create(tmp_path / "empty.index", width=3)
    assert empty.allowed("year >= 2020").shape == (0,)
    with pytest.raises(InputError, match="cannot be read"):
        empty.allowed("year >=")


def test_the_last_masks_are_remembered_and_belong_to_the_caller(store, monkeypatch):
    asked = []
    mask = Held.mask
    monkeypatch.setattr(Held, "mask", lambda self, *given: asked.append(given) or mask(self, *given))
    store = Store.open(store.path)
    first = store.allowed("i = 1")
    first.logical_not_()
    assert torch.equal(store.allowed("`i` = 1.0"), ~first)
    assert len(asked) == 1
    for n in range(KEPT):
        store.allowed(f"i = {n + 100}")
    store.allowed("i = 1")
    assert len(asked) == 1 + KEPT + 1
    with pytest.raises(InputError):  # equal to 1 in Python, and no whole number here
        store.allowed("i = true")


FILTERS = """
i = 1; i >= 0; i != 0; not i > 0; i in (1, -9223372036854775808); i is null; i <= 1 or i is null
f > 0; f >= 0; f = 0; f = -0.0; f < 0; f <= -0.0; not f < 0; f != 0; f in (0, 1e300); f between -2 and 1e300; f is null
s = 'a''b'; s > 'a'; starts_with(s, 'a'); starts_with(s, ''); not starts_with(s, 'a'); contains(s, 'a'); s in ('', 'A')
starts_with(s, 'é􏿿'); flag = true; flag != true; flag is null; i > 0 and f > 0 or s = 'a'
day <= '2020-02-29'; time > '2020-01-01'; zoned < '2020-01-01'
"""


@pytest.mark.parametrize("kind", ["BTREE", "BITMAP"])
def test_a_scalar_index_changes_no_answer(store, tmp_path, kind):
    import lance

    copy = Store.open(shutil.copytree(store.path, tmp_path / "copy.index"))
    place = str(copy.path / "rows.lance")
    for column in ("i", "f", "s", "flag", "day", "time", "zoned"):
        lance.dataset(place).create_scalar_index(column, kind)
    # Rows that no index covers, and whose keys the vectors do not have.
    later = lance.write_dataset(
        lance.dataset(place).take([0, 1]).set_column(0, "key", [[-5, 999]]), place, mode="append"
    )
    assert "ScalarIndexQuery" in later.scanner(filter="i = 1", columns=["key"]).explain_plan()
    masks = Masks(RowTable(copy.place, later.version), copy.commit.metadata, copy.docs)
    for where in FILTERS.strip().replace("\n", ";").split(";"):
        expected = [place for place, row in enumerate(ROWS) if holds(parse(where), row) is True]
        assert masks(where).nonzero().flatten().tolist() == expected == passing(store, where), where
