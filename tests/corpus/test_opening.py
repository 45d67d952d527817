from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import READERS, open_collection


def test_importing_the_room_is_light():
    code = "import hyperir.corpus, sys; print([m for m in ('torch', 'pyarrow', 'lance', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", list(READERS))
def test_every_member_says_what_it_understands_and_names_itself(name):
    reader = READERS[name]
    assert reader.understood
    assert reader.Config.model_fields["type"].default == name
    assert not reader.accepts("/nowhere/at all")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        ({"corpus.jsonl": '{"_id": "1", "text": "a"}\n', "README.md": "hello"}, "Beir"),
        ({"collection.tsv": "1\ta\n"}, "MsMarco"),
        ({"deep/er/one.txt": "a"}, "Texts"),
    ],
)
def test_folders(tmp_path: Path, make, expected):
    for name, text in make.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert type(open_collection(tmp_path)).__name__ == expected
    assert type(open_collection(str(tmp_path))).__name__ == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.jsonl", '{"id": 1, "text": "a"}', "Jsonl"),
        ("a.ndjson", '{"id": 1, "text": "a"}', "Jsonl"),
        ("a.csv", "id,text\n1,a\n", "Csv"),
        ("a.tsv", "id\ttext\n1\ta\n", "Csv"),
        ("a.tsv", "url\tbody\nx\ta\n", "Csv"),
        ("a.tsv", "17\ta text\n", "MsMarco"),
        ("collection.tsv", "D17\ta text\n", "MsMarco"),
        ("collection.tsv", "id\ttext\nD17\ta text\n", "Csv"),
        ("a.PARQUET", "", "Parquet"),
    ],
)
def test_files(tmp_path: Path, name, text, expected):
    path = tmp_path / name
    path.write_text(text)
    assert type(open_collection(path)).__name__ == expected


def test_words():
    assert open_collection("pydoc").name == "pydoc"


def test_home_is_expanded(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "a"}')
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert [row["id"] for row in open_collection("~/a.jsonl").documents()] == ["1"]


def test_a_missing_source_lists_what_is_understood_and_what_is_near(tmp_path):
    (tmp_path / "scifact").mkdir()
    with pytest.raises(CollectionError) as caught:
        open_collection(tmp_path / "scifcat")
    message = str(caught.value)
    assert f"there is no file or folder {tmp_path / 'scifcat'}" in message
    assert "did you mean 'scifact'?" in message
    for name in READERS:
        assert READERS[name].understood in message
    with pytest.raises(CollectionError, match="did you mean 'pydoc'"):
        open_collection("pydco")


def test_an_unknown_kind_of_file_names_its_suffix(tmp_path):
    (tmp_path / "a.docx.gz").write_text("")
    with pytest.raises(CollectionError, match=r"got: the suffix '\.docx'"):
        open_collection(tmp_path / "a.docx.gz")


def test_a_folder_that_is_no_collection_says_what_is_inside(tmp_path):
    (tmp_path / "a.pdf").write_text("")
    with pytest.raises(CollectionError, match=r"got: a\.pdf"):
        open_collection(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CollectionError, match="an empty folder"):
        open_collection(tmp_path / "empty")


def test_one_level_too_high_points_below_and_does_not_index_the_readme(tmp_path):
    inside = tmp_path / "all" / "scifact"
    inside.mkdir(parents=True)
    (inside / "corpus.jsonl").write_text("")
    (tmp_path / "all" / "README.md").write_text("about these collections")
    with pytest.raises(CollectionError) as caught:
        open_collection(tmp_path / "all")
    assert f"did you mean {str(inside)!r}?" in str(caught.value)


def test_columns_reach_the_reader(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("key,words,head,year\nx,hello,Hi,1999\n")
    rows = open_collection(path, id_column="key", text_column="words", title_column="head").documents()
    assert list(rows) == [{"id": "x", "text": "hello", "title": "Hi", "year": "1999"}]


def test_columns_where_there_are_none(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    for source in (str(tmp_path), "pydoc"):
        with pytest.raises(CollectionError, match="no columns to name") as caught:
            open_collection(source, id_column="x")
        assert "leave out --id-column" in str(caught.value)


def test_another_package_can_add_a_reader_as_a_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,a\n")
    reader = READERS.build({"type": "csv", "source": str(path)})
    assert [row["id"] for row in reader.documents()] == ["1"]
