from __future__ import annotations

import gzip
import json

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection


@pytest.fixture
def documents(tmp_path):
    def write(*lines, **columns):
        path = tmp_path / "docs.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
        return open_collection(path, **columns).documents()

    return write


def refusal(rows) -> str:
    with pytest.raises(CollectionError) as caught:
        list(rows)
    return str(caught.value)


@pytest.mark.parametrize("key", ["_id", "id", "docid", "doc_id", "docno", "pid"])
@pytest.mark.parametrize("text", ["text", "contents", "body", "passage", "content"])
def test_usual_names(documents, key, text):
    assert list(documents({key: "a", text: "hello"})) == [{"id": "a", "text": "hello", "title": ""}]


def test_ids_are_text_and_nested_metadata_stay(documents):
    rows = list(
        documents({"_id": 7, "text": "a", "metadata": {"urls": ["x"]}, "year": 1999}, {"_id": 7.0, "text": None}, "  ")
    )
    assert rows == [
        {"id": "7", "text": "a", "title": "", "metadata": {"urls": ["x"]}, "year": 1999},
        {"id": "7", "text": "", "title": ""},
    ]


def test_a_column_that_would_hide_ours_is_renamed(documents):
    (row,) = documents({"_id": "a", "id": 5, "text": "t", "contents": "c", "title": "T"})
    assert row == {"id": "a", "id_": 5, "text": "t", "contents": "c", "title": "T"}
    (row,) = documents({"_id": "a", "text": "t", "body": "b", "title": "T"}, text_column="body", title_column="text")
    assert row == {"id": "a", "text": "b", "title": "t", "title_": "T"}


def test_gzip_restart_and_name(tmp_path):
    path = tmp_path / "my.docs.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"id": "a", "text": "x"}\r\n\r\n{"id": "b", "text": ""}'))
    collection = open_collection(path)
    assert [row["id"] for row in collection.documents()] == ["a", "b"]
    assert list(collection.documents()) == list(collection.documents())
    assert (collection.name, collection.count, collection.splits) == ("my", None, [])


def test_rows_come_before_a_broken_last_line(tmp_path, documents):
    good = [{"id": i, "text": "x"} for i in range(50)]
    rows = documents(*good, '{"id": 50, "text": "x')
    assert [next(rows)["id"] for _ in range(50)] == [str(i) for i in range(50)]
    message = refusal(rows)
    assert f"line 51 of {tmp_path / 'docs.jsonl'} cannot be read: Unterminated string" in message
    assert "expected: one JSON object a line" in message
    assert """got: '{"id": 50, "text": "x'""" in message


def test_a_file_cut_short(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "text": "x"}\n{"id": 2, "te')
    assert "was the file cut short?" in refusal(open_collection(path).documents())


def test_the_excerpt_is_short_and_shows_the_place(documents):
    message = refusal(documents('{"id": 1, "text": "' + "x" * 5000 + '" HERE "' + "y" * 5000 + '"}'))
    assert "HERE" in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1, 2]", "an array, not an object"),
        ('"x"', "a string, not an object"),
        ("3", "a number, not an object"),
        ("null", "null, not an object"),
        ("true", "true or false, not an object"),
        ('[{"id": 1, "text": "x"},', "jq -c '.[]' docs.jsonl"),
        ("{", "jq -c . docs.jsonl"),
        ('{"id": ' + "9" * 5000 + "}", "line 1 of"),
        ('{"id": 1, "text": ' + "[" * 100_000, "line 1 of"),
        ('{"id": 1, "text": "\\ud83d"}', "\\ud83d is half of a character"),
    ],
)
def test_lines_that_are_no_objects(documents, line, said):
    message = refusal(documents(line))
    assert said in message
    assert "line 1 of" in message
    assert len(message) < 800


def test_whole_surrogate_pairs_are_fine(documents):
    assert next(documents('{"id": 1, "text": "\\ud83d\\ude00"}'))["text"] == "\U0001f600"


def test_a_missing_text_column_names_the_nearest(tmp_path, documents):
    message = refusal(documents({"id": 1, "txt": "x", "year": 3}))
    assert f"line 1 of {tmp_path / 'docs.jsonl'} has no text column" in message
    assert "expected: one of the columns text, contents, body, passage, content" in message
    assert "got: columns id, txt, year" in message
    assert "did you mean 'txt'?" in message
    assert "--text-column NAME" in message


def test_a_missing_id_column(documents):
    message = refusal(documents({"ids": 1, "text": "x"}))
    assert "no id column" in message
    assert "did you mean 'ids'?" in message
    assert "--id-column NAME" in message


def test_a_wrong_column_name(documents):
    for option in ("id_column", "text_column", "title_column"):
        message = refusal(documents({"id": 1, "text": "x", "headline": "h"}, **{option: "headlin"}))
        assert "expected: a column headlin" in message
        assert "did you mean 'headline'?" in message


def test_a_later_row_without_text_or_id(documents):
    rows = documents({"id": 1, "text": "x"}, {"id": 2})
    next(rows)
    assert "line 2 of" in refusal(rows)
    rows = documents({"key": 1, "text": "x"}, {"id": 2, "text": "y"}, id_column="key")
    next(rows)
    assert "line 2 of" in refusal(rows)


def test_usual_names_may_change_between_rows(documents):
    rows = list(documents({"id": 1, "text": "x"}, {"_id": 2, "body": "y", "year": 3}))
    assert rows == [{"id": "1", "text": "x", "title": ""}, {"id": "2", "text": "y", "title": "", "year": 3}]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "", "text": "x"}, "the id is empty"),
        ({"id": " ", "text": "x"}, "the id is empty"),
        ({"id": None, "text": "x"}, "the id is empty"),
        ({"id": True, "text": "x"}, "text or a number, not bool"),
        ({"id": [1], "text": "x"}, "text or a number, not list"),
        ({"id": 1, "text": ["x"] * 100}, "'text' must hold text, not list"),
        ({"id": 1, "text": "x", "title": {"en": "x"}}, "'title' must hold text, not dict"),
    ],
)
def test_values_that_cannot_be(documents, row, said):
    message = refusal(documents({"id": "first", "text": ""}, row))
    assert said in message
    assert "line 2 of" in message
    assert len(message) < 400


def test_no_queries(documents, tmp_path):
    documents({"id": 1, "text": "x"})
    collection = open_collection(tmp_path / "docs.jsonl")
    for ask in (collection.queries, lambda: collection.queries("test"), lambda: collection.qrels("test")):
        with pytest.raises(CollectionError, match="'docs' has documents only"):
            ask()
