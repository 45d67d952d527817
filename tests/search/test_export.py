"""Exports: what they hold, that they can be indexed again, and that they leave nothing behind when they fail."""

import datetime
import json

import pyarrow.parquet as pq
import pytest
import torch

from hyperir import Index, open_collection
from hyperir.core.errors import InputError, StoreError
from hyperir.index.filters import Compare

DAY = datetime.date(2020, 2, 29)
ROWS = [
    {"id": "a", "title": "One", "text": "first\nline", "year": 1994, "tags": ["x"], "_id": "odd", "vector": "v"},
    {"id": "ü\x00", "text": "", "year": None, "tags": {"k": [1]}, "day": DAY},
    {"id": "gone", "text": "deleted", "year": 2001},
    {"id": "d", "title": "", "text": "last “one”", "year": 2024, "day": DAY},
]
VECTORS = torch.randn(4, 3)


@pytest.fixture(params=["float32", "float16"])
def index(tmp_path, request):
    index = Index.create(tmp_path / "my.index", width=3, dtype=request.param)
    for start in (0, 2):
        index.add(ROWS[start : start + 2], vectors=VECTORS[start : start + 2], show_progress=False)
    index.delete(["gone"])
    return index


def kept(index):
    alive = (
        range(index.store.commit.stored) if index.store.alive is None else index.store.alive.nonzero()[:, 0].tolist()
    )
    return index.store.rows(list(alive))


def again(tmp_path, path, vectors):
    new = Index.create(tmp_path / "new.index", width=3)
    new.add(open_collection(path).documents(), vectors=vectors, show_progress=False)
    return new


def test_parquet_holds_rows_and_vectors_and_can_be_indexed_again(index, tmp_path):
    path = tmp_path / "out.parquet"
    assert index.export(path, show_progress=False) == 3
    table = pq.read_table(path)
    names = ["id", "title", "text", "vector", "year", "tags", "_id_", "vector_", "day"]
    assert table.column_names == names
    assert table["id"].to_pylist() == ["a", "ü\x00", "d"]
    assert table["day"].to_pylist() == [None, DAY, DAY]
    assert [json.loads(tags) if tags else tags for tags in table["tags"].to_pylist()] == [["x"], {"k": [1]}, None]
    vectors = torch.tensor(table["vector"].to_pylist())
    dtype = getattr(torch, index.store.dtype)
    assert torch.equal(vectors, VECTORS[[0, 1, 3]].to(dtype).float())
    rows = kept(again(tmp_path, path, vectors))
    renamed = {"_id": "_id_", "vector": "vector_"}
    as_json = [json.dumps(row["tags"]) if row["tags"] else None for row in kept(index)]
    assert rows == [
        {renamed.get(name, name): value for name, value in row.items()} | {"tags": tags}
        for row, tags in zip(kept(index), as_json, strict=True)
    ]


def test_parquet_without_vectors(index, tmp_path):
    index.export(tmp_path / "out.parquet", vectors=False, show_progress=False)
    assert "vector" in pq.read_schema(tmp_path / "out.parquet").names, "the metadata column has its own name then"
    assert pq.read_table(tmp_path / "out.parquet")["vector"].to_pylist() == ["v", None, None]


def test_beir_can_be_indexed_again(index, tmp_path):
    assert index.export(tmp_path / "out", format="beir", show_progress=False) == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["corpus.jsonl"]
    rows = kept(again(tmp_path, tmp_path / "out", torch.randn(3, 3)))
    assert rows == [
        {
            ("_id_" if name == "_id" else name): (str(value) if name == "day" and value else value)
            for name, value in r.items()
        }
        for r in kept(index)
    ]


def test_values_that_json_has_no_type_for(tmp_path):
    index = Index.create(tmp_path / "my.index", width=1)
    time = datetime.datetime(2020, 2, 29, 12, tzinfo=datetime.UTC)
    row = {"id": "a", "text": "", "time": time, "raw": b"\xff\x00", "bad": float("nan")}
    index.add([row], vectors=torch.ones(1, 1), show_progress=False)
    index.export(tmp_path / "out", "beir", show_progress=False)
    (found,) = open_collection(tmp_path / "out").documents()
    assert (found["time"], found["raw"], found["bad"] != found["bad"]) == (time.isoformat(), "/wA=", True)


@pytest.mark.parametrize("kind", ["parquet", "beir"])
@pytest.mark.parametrize(("where", "expected"), [("year > 2000", ["d"]), (Compare("year", ">", 3000), [])])
def test_a_part_is_exported(index, tmp_path, kind, where, expected):
    path = tmp_path / ("out.parquet" if kind == "parquet" else "out")
    assert index.export(path, kind, where=where, show_progress=False) == len(expected)
    assert [row["id"] for row in open_collection(path).documents()] == expected


def test_many_rows_come_in_batches_and_in_order(tmp_path):
    index = Index.create(tmp_path / "my.index", width=1)
    rows = [{"id": str(i), "text": "x"} for i in range(20_000)]
    index.add(rows, vectors=torch.arange(20_000.0)[:, None], show_progress=False)
    index.delete(str(i) for i in range(0, 20_000, 7))
    expected = [i for i in range(20_000) if i % 7]
    assert index.export(tmp_path / "out.parquet", show_progress=False) == len(expected)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["id"].to_pylist() == [str(i) for i in expected]
    assert table["vector"].combine_chunks().flatten().to_pylist() == expected
    assert pq.read_metadata(tmp_path / "out.parquet").num_row_groups == 3


@pytest.mark.parametrize("kind", ["parquet", "beir"])
def test_an_empty_index_is_exported(tmp_path, kind):
    path = tmp_path / ("out.parquet" if kind == "parquet" else "out")
    assert Index.create(tmp_path / "my.index", width=3).export(path, kind, show_progress=False) == 0
    assert list(open_collection(path).documents()) == []


def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(index, tmp_path, monkeypatch):
    path = tmp_path / "out.parquet"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        index.export(path, show_progress=False)
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="there is no folder"):
        index.export(tmp_path / "none" / "out", "beir", show_progress=False)
    with pytest.raises(InputError, match="did you mean 'year'"):
        index.export(tmp_path / "other.parquet", where="yaer > 1", show_progress=False)

    def fail(*arguments, **options):
        raise OSError("no space left")

    monkeypatch.setattr("hyperir.search.export.json.dumps", fail)
    with pytest.raises(StoreError, match="no space left"):
        index.export(tmp_path / "out", "beir", show_progress=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my.index", "out.parquet"]


def test_an_export_is_of_the_commit_that_is_open(index, tmp_path):
    then = Index.open(index.store.path, commit=2)
    assert then.export(tmp_path / "then.parquet", show_progress=False) == 2
