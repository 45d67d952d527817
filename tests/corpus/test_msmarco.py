from __future__ import annotations

import gzip

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection


@pytest.fixture(params=["plain", "gz"])
def folder(request, tmp_path):
    files = {
        "collection.tsv": '0\tthe "first\n1\tthe second\n',
        "queries.dev.small.tsv": "7\tseven\n9\tnine\n",
        "queries.train.tsv": "8\teight\n",
        "qrels.dev.small.tsv": "7\t0\t1\t1\n",
        "qrels.train.tsv": "8 0 0 1\n",
    }
    for name, text in files.items():
        path = tmp_path / (name + ".gz" * (request.param == "gz"))
        path.write_bytes(gzip.compress(text.encode()) if request.param == "gz" else text.encode())
    return tmp_path


def test_a_folder(folder):
    collection = open_collection(folder)
    assert list(collection.documents()) == [
        {"id": "0", "text": 'the "first', "title": ""},
        {"id": "1", "text": "the second", "title": ""},
    ]
    assert (collection.name, collection.count) == (folder.name, None)
    assert collection.splits == ["dev.small", "train"]
    assert collection.queries() == {"7": "seven", "9": "nine", "8": "eight"}
    assert collection.queries("dev.small") == {"7": "seven"}
    assert collection.qrels("dev.small") == {"7": {"1": 1}}


def test_one_file_of_queries_and_of_judgements(tmp_path):
    (tmp_path / "collection.tsv").write_text("0\ta\n")
    (tmp_path / "queries.tsv").write_text("7\tseven\n8\teight\n")
    (tmp_path / "qrels.tsv").write_text("8 0 0 3\n")
    collection = open_collection(tmp_path)
    assert collection.splits == ["all"]
    assert collection.queries("all") == {"8": "eight"}
    assert collection.qrels("all") == {"8": {"0": 3}}


def test_a_file_alone(folder):
    path = next(folder.glob("collection.tsv*"))
    collection = open_collection(path)
    assert len(list(collection.documents())) == 2
    assert (collection.name, collection.splits) == ("collection", [])
    with pytest.raises(CollectionError, match="documents only"):
        collection.queries()
    with pytest.raises(CollectionError, match="no split"):
        collection.qrels("dev")


def test_broken_lines(tmp_path):
    path = tmp_path / "collection.tsv"
    path.write_text("0\ta\n\n1\turl\ttitle\tbody\n")
    rows = open_collection(path).documents()
    assert next(rows)["id"] == "0"
    with pytest.raises(CollectionError) as caught:
        next(rows)
    assert f"line 3 of {path} has 4 fields" in str(caught.value)
    assert "a header that names them" in caught.value.fix
    path.write_text("0\ta\n\tb\n")
    with pytest.raises(CollectionError, match=r"line 2 of .*: the id is empty"):
        list(open_collection(path).documents())
