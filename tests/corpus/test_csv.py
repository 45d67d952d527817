from __future__ import annotations

import csv
import gzip

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection


def refusal(path, **columns) -> str:
    with pytest.raises(CollectionError) as caught:
        list(open_collection(path, **columns).documents())
    return str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_csv(tmp_path, pack):
    path = tmp_path / "a.csv"
    path.write_bytes(pack('\ufeffdocno,text,year\r\n1,"say ""hi"",\r\nyou",1999\r\n\r\n2,,\r\n'.encode()))
    assert list(open_collection(path).documents()) == [
        {"id": "1", "text": 'say "hi",\r\nyou', "title": "", "year": "1999"},
        {"id": "2", "text": "", "title": "", "year": ""},
    ]


def test_tsv_has_no_quoting(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\ttitle\n1\t"Hello" she said\tT, t\n\n2\t"no end\t\n')
    assert list(open_collection(path).documents()) == [
        {"id": "1", "text": '"Hello" she said', "title": "T, t"},
        {"id": "2", "text": '"no end', "title": ""},
    ]


def test_large_fields(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], ["1", "x" * 1_000_000]])
    (row,) = open_collection(path).documents()
    assert len(row["text"]) == 1_000_000


def test_rows_come_before_a_broken_last_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"two\nlines"\n2,b\n3,"never closed\n')
    rows = open_collection(path).documents()
    assert [next(rows)["id"], next(rows)["id"]] == ["1", "2"]
    with pytest.raises(CollectionError) as caught:
        next(rows)
    assert f"starts on line 5 of {path} is not valid CSV" in str(caught.value)


def test_records_of_another_length(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,a\n2,b, and c\n")
    message = refusal(path)
    assert f"line 3 of {path} has 3 fields" in message
    assert "expected: 2, as in the header: id, text" in message
    assert "in quotes" in message
    path = tmp_path / "a.tsv"
    path.write_text("id\ttext\n1\n")
    assert "cannot hold a tab" in refusal(path)


def test_headers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("")
    assert f"{path} is empty" in refusal(path)
    path.write_text("id,text,id\n1,a,2\n")
    assert "(line 1) names 'id' more than once" in refusal(path)
    path.write_text(",id,text\n0,1,a\n")
    assert list(open_collection(path).documents()) == [{"id": "1", "text": "a", "title": "", "column_1": "0"}]


def test_a_missing_column_is_known_without_rows_of_its_own(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,Text\n1,a\n")
    message = refusal(path)
    assert "got: columns id, Text" in message
    assert "did you mean 'Text'?" in message
    assert "--text-column" in message


def test_an_empty_id_names_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"a\nb"\n,c\n')
    assert f"line 4 of {path}: the id is empty" in refusal(path)
