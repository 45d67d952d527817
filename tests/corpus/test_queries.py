from __future__ import annotations

import gzip

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus.trec import read_queries


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '{"_id": 1, "text": "one, two"}\n\n{"_id": "b", "text": "x", "metadata": {}}\n'),
        ("q.json", '{"id": 1, "query": "one, two"}\n{"qid": "b", "text": "x"}\n'),
        ("q.txt", '{"id": 1, "text": "one, two"}\n{"id": "b", "text": "x"}\n'),
        ("q.tsv", "1\tone, two\nb\tx\n"),
        ("q.txt", "1\tone, two\r\n\r\nb\tx\r\n"),
        ("q.tsv", "text\tqid\none, two\t1\nx\tb\n"),
        ("q.csv", 'qid,year,query\n1,1999,"one, two"\nb,,x\n'),
    ],
)
def test_formats(tmp_path, name, text, pack):
    path = tmp_path / name
    path.write_bytes(pack(text.encode()))
    assert read_queries(str(path)) == {"1": "one, two", "b": "x"}


@pytest.mark.parametrize(
    ("name", "text", "line", "said"),
    [
        ("q.jsonl", '{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}\n', 2, "'1' comes a second time"),
        ("q.jsonl", '{"id": 1, "txt": "a"}\n', 1, "did you mean 'txt'?"),
        ("q.jsonl", '{"id": null, "text": "a"}\n', 1, "the id is empty"),
        ("q.jsonl", '{"id": 1, "text": "a"}\n{"id": 2\n', 2, "cannot be read"),
        ("q.tsv", "1\ta\n2 b\n", 2, "1 fields"),
        ("q.csv", "name,text\n1,a\n", 2, "got: columns name, text"),
    ],
)
def test_errors_name_file_and_line(tmp_path, name, text, line, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CollectionError) as caught:
        read_queries(path)
    assert f"line {line} of {path}" in str(caught.value)
    assert said in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(CollectionError, match=r"there is no file .*q\.jsonl"):
        read_queries(tmp_path / "q.jsonl")
