from __future__ import annotations

import gzip

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection

FILES = {
    "corpus.jsonl": '{"_id": 1, "title": "T", "text": "a", "metadata": {}}\n{"id": "2", "text": "b"}\n',
    "queries.jsonl": '{"_id": "q2", "text": "two"}\n{"_id": "q1", "text": "one"}\n{"_id": "q3", "text": "three"}\n',
    "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\t1\t2\nq1\t2\t0\nq2\t2\t1\n",
    "qrels/dev.tsv": "query-id\tcorpus-id\tscore\nq3\t1\t1\n",
}


@pytest.fixture(params=["plain", "gz"])
def folder(request, tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "tiny" / (name + ".gz" * (request.param == "gz"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if request.param == "gz" else text.encode())
    return tmp_path / "tiny"


def only(folder, name):
    return next(folder.glob(name + "*"))


def test_all_of_it(folder):
    collection = open_collection(folder)
    first = next(collection.documents())
    assert first == {"id": "1", "text": "a", "title": "T", "metadata": {}}
    assert (collection.name, collection.count, collection.splits) == ("tiny", None, ["dev", "test"])
    assert collection.queries() == {"q2": "two", "q1": "one", "q3": "three"}
    assert list(collection.queries("test").items()) == [("q2", "two"), ("q1", "one")]
    assert collection.qrels("test") == {"q1": {"1": 2, "2": 0}, "q2": {"2": 1}}


def test_id_and_underscore_id(folder):
    assert [row["id"] for row in open_collection(folder).documents()] == ["1", "2"]


def test_a_broken_line_names_the_file_in_the_folder(folder):
    path = only(folder, "corpus.jsonl")
    path.write_text('{"_id": 1, "text": "a"}\n{"_id": 2}\n')
    with pytest.raises(CollectionError) as caught:
        list(open_collection(folder).documents())
    assert f"line 2 of {path} has no text column" in str(caught.value)


def test_an_unknown_split(folder):
    collection = open_collection(folder)
    for ask in (collection.queries, collection.qrels):
        with pytest.raises(CollectionError, match=r"no split 'tset'\n.*one of dev, test\n.*did you mean 'test'"):
            ask("tset")


def test_documents_alone_are_enough(folder):
    only(folder, "queries.jsonl").unlink()
    for path in list((folder / "qrels").iterdir()):
        path.unlink()
    collection = open_collection(folder)
    assert next(collection.documents())["id"] == "1"
    assert collection.splits == []
    with pytest.raises(CollectionError, match=r"no queries\.jsonl or queries\.jsonl\.gz in the folder .*tiny"):
        collection.queries()
    with pytest.raises(CollectionError, match="no split at all"):
        collection.qrels("test")


def test_a_judged_query_without_text(folder):
    path = folder / "qrels" / "train.tsv"
    path.write_text("query-id\tcorpus-id\tscore\nq1\t1\t1\nq9\t1\t1\n")
    with pytest.raises(CollectionError, match=r"'train' of 'tiny' judges 1 queries that have no text\n  got: q9"):
        open_collection(folder).queries("train")


def test_columns(folder):
    path = only(folder, "corpus.jsonl")
    path.write_text('{"_id": 1, "abstract": "a"}\n')
    assert list(open_collection(folder, text_column="abstract").documents()) == [{"id": "1", "text": "a", "title": ""}]
