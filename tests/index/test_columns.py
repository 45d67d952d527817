"""Scalar indices: made, committed like every other file, and right for rows that came after them."""

import datetime

import lance
import pytest
import torch

from hyperir.core.errors import InputError
from hyperir.index.store import Store


def made(tmp_path):
    store = Store.create(tmp_path / "c.index", width=1)
    add(store, 0, 40)
    with store.refresh().writer() as writer:
        writer.index_columns(["year", "key", "seen", "day", "id", "score"])
    return store.refresh()


def add(store, start, count):
    rows = [
        {
            "id": f"d{i}", "text": "", "year": i, "key": f"k{i % 3}", "seen": i % 2 == 0, "score": i / 2, "raw": b"x",
            "day": datetime.date(2020, 1, 1) + datetime.timedelta(days=i), "tags": [i],
        }
        for i in range(start, start + count)
    ]  # fmt: skip
    with store.writer() as writer:
        writer.append(rows, torch.zeros(count, 1))


def table(store):
    return lance.dataset(str(store.path / "rows.lance"), version=store.commit.lance_version)


def matching(store, predicate):
    return table(store).to_table(columns=["id"], filter=predicate)["id"].to_pylist()


def indexed(store):
    return {index.field_names[0] for index in table(store).describe_indices()}


FILTERS = {
    "year >= 30": lambda i: i >= 30,
    "column_1 = 'k1'": lambda i: i % 3 == 1,
    "seen = false": lambda i: i % 2 == 1,
    "day < date '2020-01-11'": lambda i: i < 10,
    "id = 'd7'": lambda i: i == 7,
    "score > 12.5 AND seen": lambda i: i > 25 and i % 2 == 0,
}


def check(store, ids):
    for predicate, right in FILTERS.items():
        plan = table(store).scanner(filter=predicate).explain_plan()
        assert "ScalarIndexQuery" in plan
        assert matching(store, predicate) == [f"d{i}" for i in ids if right(i)]


def test_columns_of_every_type_are_indexed(tmp_path):
    store = made(tmp_path)
    column = {c.name: c.column for c in store.commit.metadata}["key"]
    assert column == "column_1"  # "key" is ours
    assert indexed(store) == {"year", "column_1", "seen", "day", "id", "score"}
    assert store.info()["indexed"] == ["day", "id", "key", "score", "seen", "year"]
    check(store, range(40))
    files = [name for name in store.commit.files if name.startswith("rows.lance/_indices/")]
    assert len({name.split("/")[2] for name in files}) == 6
    assert sorted(files) == sorted(
        p.relative_to(store.path).as_posix() for p in (store.path / "rows.lance/_indices").rglob("*") if p.is_file()
    )
    report = store.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()
    assert store.history()[-1].change.startswith("indexed 'year', indexed 'key'")


def test_rows_after_the_index_are_found_as_well(tmp_path):
    store = made(tmp_path)
    for i in range(40, 80):
        add(store, i, 1)  # merged on the way
    store = store.refresh()
    check(store, range(80))
    with store.writer() as writer:
        writer.delete([f"d{i}" for i in range(0, 80, 2)])
        writer.index_columns(["year"])
    store = store.refresh()
    assert indexed(store) == {"year", "column_1", "seen", "day", "id", "score"}
    check(store, range(80))
    compacted = store.compact()
    assert indexed(compacted) == {"year", "column_1", "seen", "day", "id", "score"}
    assert compacted.commit.indexed == store.commit.indexed
    check(compacted, range(1, 80, 2))
    report = compacted.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()


def test_a_damaged_index_file_is_named(tmp_path):
    store = made(tmp_path)
    name = next(name for name in store.commit.files if "_indices" in name)
    data = bytearray((store.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (store.path / name).write_bytes(data)
    assert [p.file for p in store.verify(show_progress=False).problems] == [name]


def test_what_cannot_be_indexed(tmp_path):
    store = made(tmp_path)
    with store.writer() as writer:
        with pytest.raises(InputError, match=r"no metadata column 'yeer'(.|\n)*did you mean 'year'\?"):
            writer.index_columns(["yeer"])
        with pytest.raises(InputError, match=r"a list: \['year'\]"):
            writer.index_columns("year")
        for name in ("tags", "raw"):
            with pytest.raises(InputError, match=f"{name!r} cannot be indexed"):
                writer.index_columns([name])
        writer.index_columns([])
    assert store.refresh() is store
    empty = Store.create(tmp_path / "e.index", width=1)
    with empty.writer() as writer, pytest.raises(InputError, match="without rows has no columns"):
        writer.index_columns(["year"])
    with empty.writer() as writer:
        writer.append([{"id": "a", "text": "", "year": 1}], torch.zeros(1, 1))
        writer.index_columns(["year"])
    assert matching(empty.refresh(), "year = 1") == ["a"]
