from __future__ import annotations

import gzip

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import lines
from hyperir.corpus.lines import excerpt, read_lines, suffix


def test_gzip_is_known_by_its_bytes_not_its_name(tmp_path):
    (tmp_path / "packed.txt").write_bytes(gzip.compress(b"a\nb\n"))
    (tmp_path / "plain.txt.gz").write_bytes(b"a\nb\n")
    for name in ("packed.txt", "plain.txt.gz"):
        assert list(read_lines(tmp_path / name)) == [(1, "a\n"), (2, "b\n")]


def test_several_gzip_members_are_one_file(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert [line for _, line in read_lines(tmp_path / "a.gz")] == ["a\n", "b\n"]


def test_a_byte_order_mark_is_dropped(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo")
    assert list(read_lines(tmp_path / "a")) == [(1, "one\n"), (2, "\ufefftwo")]


def test_only_line_feeds_end_lines(tmp_path):
    (tmp_path / "a").write_text("one\u2028still\x0cone\x85\ntwo", encoding="utf-8")
    assert len(list(read_lines(tmp_path / "a"))) == 2


def test_empty_files(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "b").write_bytes(gzip.compress(b""))
    assert list(read_lines(tmp_path / "a")) == list(read_lines(tmp_path / "b")) == []


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"fine\ncaf\xe9\n")
    reading = read_lines(path)
    assert next(reading) == (1, "fine\n")
    with pytest.raises(CollectionError) as caught:
        next(reading)
    assert f"line 2 of {path} is not UTF-8" in str(caught.value)
    assert "0xe9 at position 4" in str(caught.value)
    assert "iconv" in caught.value.fix


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_gzip(tmp_path, damage):
    data = bytearray(gzip.compress(b"".join(b"line %d\n" % i for i in range(5000))))
    if damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[len(data) // 2] ^= 0xFF
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(CollectionError, match=r"cannot be read|is not UTF-8") as caught:
        list(read_lines(path))
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    (tmp_path / "queries.jsonl").write_text("")
    with pytest.raises(CollectionError, match=r"there is no file .*\n.*did you mean 'queries.jsonl'"):
        list(read_lines(tmp_path / "querys.jsonl"))
    with pytest.raises(CollectionError, match="there is no file"):
        list(read_lines(tmp_path / "no" / "where"))
    with pytest.raises(CollectionError, match="cannot be opened"):
        list(read_lines(tmp_path))


def test_a_file_without_line_ends_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 1 << 20)
    (tmp_path / "a").write_bytes(b"x" * (1 << 20))
    with pytest.raises(CollectionError, match=r"line 1 of .* is too long"):
        list(read_lines(tmp_path / "a"))


def test_excerpts_are_short_and_around_the_position():
    assert excerpt("short") == "'short'"
    text = "a" * 500 + "HERE" + "b" * 500
    assert "HERE" in excerpt(text, 502)
    assert len(excerpt(text, 502)) <= 80 + 8
    assert excerpt(text, 502).startswith("...")
    assert excerpt(text, 502).endswith("...")


def test_suffixes(tmp_path):
    assert [suffix(tmp_path / n) for n in ("a.JSONL.GZ", "a.b.csv", "a", ".hidden")] == [".jsonl", ".csv", "", ""]
