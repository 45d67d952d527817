from __future__ import annotations

import gzip

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection


@pytest.fixture
def folder(tmp_path):
    for name in ("b.txt", "a/z.md", "a/two.words.rst", ".hidden.txt", ".git/config.txt", "image.png", "c.txt.gz"):
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"first of {name}\r\nsecond\n".encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return tmp_path / "notes"


def test_ids_titles_and_count(folder):
    collection = open_collection(folder)
    rows = list(collection.documents())
    assert [(row["id"], row["title"]) for row in rows] == [
        ("b.txt", "b"),
        ("c.txt.gz", "c"),
        ("a/two.words.rst", "two.words"),
        ("a/z.md", "z"),
    ]
    assert rows[1]["text"] == "first of c.txt.gz\nsecond\n"
    assert (collection.name, collection.count) == ("notes", 4)
    assert list(collection.documents()) == rows


def test_an_empty_file_is_a_document(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert list(open_collection(tmp_path).documents()) == [{"id": "a.txt", "text": "", "title": "a"}]


def test_bytes_that_are_not_utf8_name_file_and_line(folder):
    (folder / "d.txt").write_bytes(b"fine\n\xff\n")
    with pytest.raises(CollectionError, match=r"line 2 of .*d\.txt is not UTF-8"):
        list(open_collection(folder).documents())


def test_files_that_vanish(folder):
    collection = open_collection(folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".png":
            path.unlink()
    with pytest.raises(CollectionError, match=r"no text file in the folder .*\n.*\n  got: 1 with \.png"):
        list(collection.documents())


def test_no_queries(folder):
    with pytest.raises(CollectionError, match="documents only"):
        open_collection(folder).queries()
