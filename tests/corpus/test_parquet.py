from __future__ import annotations

import datetime

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection


def write(path, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=1000)
    return open_collection(path)


def test_types_and_count(tmp_path):
    day = datetime.date(2020, 1, 2)
    collection = write(
        tmp_path / "docs.parquet",
        id=pa.array([1.0, 2.0]),
        text=pa.array([b"caf\xc3\xa9", None]),
        tags=[["a"], []],
        day=[day, None],
        title=pa.array(["T", "T"]).dictionary_encode(),
    )
    assert (collection.name, collection.count) == ("docs", 2)
    assert list(collection.documents()) == [
        {"id": "1", "text": "café", "title": "T", "tags": ["a"], "day": day},
        {"id": "2", "text": "", "title": "T", "tags": [], "day": None},
    ]


def test_a_column_of_vectors_is_passed_over(tmp_path):
    vectors = pa.array([[1.0, 2.0]], pa.list_(pa.float16(), 2))
    collection = write(tmp_path / "a.parquet", id=["a"], text=["x"], vector=vectors, box=vectors)
    assert list(collection.documents()) == [{"id": "a", "text": "x", "title": "", "box": [1.0, 2.0]}]
    for several in (pa.list_(vectors.type), pa.list_(pa.struct([("term", pa.int64()), ("weight", pa.float32())]))):
        collection = write(tmp_path / "c.parquet", id=["a"], text=["x"], vector=pa.array([[]], several))
        assert list(collection.documents()) == [{"id": "a", "text": "x", "title": ""}]
    collection = write(tmp_path / "b.parquet", id=["a"], text=["x"], vector=[[1.0, 2.0]])
    assert [row["vector"] for row in collection.documents()] == [[1.0, 2.0]], "lists of any length are metadata"


def test_many_batches_in_order_and_restartable(tmp_path):
    collection = write(tmp_path / "a.parquet", id=list(range(5000)), text=["x"] * 5000)
    assert [row["id"] for row in collection.documents()] == [str(i) for i in range(5000)]
    rows = collection.documents()
    assert next(rows)["id"] == "0"
    rows.close()


def test_a_missing_column(tmp_path):
    collection = write(tmp_path / "a.parquet", id=[1], texts=["x"])
    with pytest.raises(CollectionError) as caught:
        next(collection.documents())
    message = str(caught.value)
    assert str(tmp_path / "a.parquet") in message
    assert "got: columns id, texts" in message
    assert "did you mean 'texts'?" in message
    assert "--text-column" in message


def test_an_empty_id_names_its_row(tmp_path):
    collection = write(tmp_path / "a.parquet", id=["a", None], text=["x", "y"])
    rows = collection.documents()
    next(rows)
    with pytest.raises(CollectionError, match=r"row 2 of .*a\.parquet: the id is empty"):
        next(rows)


def test_bytes_that_are_not_utf8(tmp_path):
    collection = write(tmp_path / "a.parquet", id=["a"], text=pa.array([b"caf\xe9"]))
    with pytest.raises(CollectionError, match=r"row 1 of .*not UTF-8: 0xe9"):
        next(collection.documents())


def test_not_parquet(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nonsense")
    collection = open_collection(tmp_path / "a.parquet")
    with pytest.raises(CollectionError, match=r"a\.parquet cannot be read as Parquet"):
        next(collection.documents())
    with pytest.raises(CollectionError, match=r"a\.parquet cannot be read as Parquet"):
        _ = collection.count
