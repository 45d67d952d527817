"""ir_datasets is optional and downloads what it reads, so a small stand-in of its interface takes its place here."""

from __future__ import annotations

import sys
from collections import namedtuple
from types import SimpleNamespace

import pytest

from hyperir.core.errors import CollectionError, MissingExtraError
from hyperir.corpus import open_collection


class Document(namedtuple("Document", "doc_id text title url")):
    def default_text(self):
        return f"{self.title} {self.text}"


class Paper(namedtuple("Paper", "doc_id title abstract raw")):
    def default_text(self):
        return f"{self.title} {self.abstract}"


class Query(namedtuple("Query", "query_id text")):
    def default_text(self):
        return self.text


Judgement = namedtuple("Judgement", "query_id doc_id relevance")


class Dataset:
    def __init__(self, documents=(), queries=(), judgements=(), count=None):
        self._documents, self._queries, self._judgements, self._count = documents, queries, judgements, count

    def has_docs(self):
        return bool(self._documents)

    def has_queries(self):
        return bool(self._queries)

    def has_qrels(self):
        return bool(self._judgements)

    def docs_iter(self):
        return iter(self._documents)

    def queries_iter(self):
        return iter(self._queries)

    def qrels_iter(self):
        return iter(self._judgements)

    def docs_metadata(self):
        return {} if self._count is None else {"count": self._count}


@pytest.fixture
def package(monkeypatch):
    documents = [Document("1", "a", "T", "http://x"), Document("2", "b", "", "http://y")]
    registry = {
        "tiny": Dataset(documents, count=2),
        "tiny/test": Dataset(documents, [Query("q1", "one"), Query("q2", "two")], [Judgement("q1", "1", 2)], count=2),
        "papers": Dataset([Paper("1", "T", "abstract", b"raw")]),
        "nothing": Dataset(),
    }
    monkeypatch.setitem(sys.modules, "ir_datasets", SimpleNamespace(load=registry.__getitem__, registry=registry))


@pytest.mark.usefixtures("package")
def test_a_dataset_with_everything():
    collection = open_collection("irds:tiny/test")
    assert (collection.name, collection.count, collection.splits) == ("irds:tiny/test", 2, ["test"])
    assert list(collection.documents()) == [
        {"id": "1", "text": "a", "title": "T", "url": "http://x"},
        {"id": "2", "text": "b", "title": "", "url": "http://y"},
    ]
    assert collection.queries() == {"q1": "one", "q2": "two"}
    assert collection.queries("test") == {"q1": "one"}
    assert collection.qrels("test") == {"q1": {"1": 2}}


@pytest.mark.usefixtures("package")
def test_splits_below():
    collection = open_collection("irds:tiny")
    assert collection.splits == ["test"]
    assert collection.qrels("test") == {"q1": {"1": 2}}
    with pytest.raises(CollectionError, match=r"no queries of its own\n.*\n  got: splits test"):
        collection.queries()


@pytest.mark.usefixtures("package")
def test_documents_of_another_shape():
    collection = open_collection("irds:papers")
    assert list(collection.documents()) == [{"id": "1", "text": "T abstract", "title": "", "abstract": "abstract"}]
    assert collection.count is None
    with pytest.raises(CollectionError, match="no split 'test'"):
        collection.qrels("test")


@pytest.mark.usefixtures("package")
def test_unknown_datasets():
    with pytest.raises(CollectionError, match=r"no dataset 'tiny/tset'\n.*\n.*did you mean 'tiny/test'"):
        next(open_collection("irds:tiny/tset").documents())
    with pytest.raises(CollectionError, match="'nothing' of ir_datasets has no documents"):
        next(open_collection("irds:nothing").documents())


def test_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(MissingExtraError, match=r'pip install "hyperir\[irds\]"'):
        open_collection("irds:beir/scifact/test")
