"""Files of rows are compared with the commit before Lance reads them; without vectors that nobody reads."""

import shutil

import pytest

from hyperir.core.errors import CorruptError
from hyperir.index import durable
from hyperir.index.durable import sha256_of
from hyperir.index.store import Store


@pytest.fixture
def data(small):
    """The files of rows, in the order of the rows."""
    names = sorted(name for name in small.commit.files if name.startswith("rows.lance/data/"))
    return sorted((small.path / name for name in names), key=lambda path: path.stat().st_mtime_ns)


def flip(path, at):
    whole = bytearray(path.read_bytes())
    whole[at] ^= 1
    path.write_bytes(whole)


def ranges(store, path):
    return store.commit.files[path.relative_to(store.path).as_posix()].apart.vectors


def test_a_commit_tells_where_the_vectors_of_a_file_stand(small, data):
    for path, rows in zip(data, (3, 2), strict=True):
        whole = path.read_bytes()
        inside = [at for start, stop in ranges(small, path) for at in range(start, stop)]
        first = small.docs.keys.tolist().index(0 if rows == 3 else 3)
        vectors = small.docs[first : first + rows].vectors.numpy().tobytes()
        assert vectors in bytes(whole[at] for at in inside)
        assert len(inside) <= len(vectors) + 64


def test_damage_is_named_before_anything_is_read(small, data):
    outside = next(at for at in range(10_000) if not any(a <= at < b for a, b in ranges(small, data[1])))
    flip(data[1], outside)
    store = Store.open(small.path)
    assert store.ids([0, 1, 2]) == ["d0", "d1", "d2"], "the other file is whole"
    for read in (
        lambda: store.rows([4]),
        lambda: store.positions(["d0"]),
        lambda: store.allowed("year > 0"),
        lambda: store.allowed("contains(text, 'x')"),
        lambda: store.compact(),
    ):
        with pytest.raises(CorruptError, match=data[1].name):
            read()
    flip(data[1], outside)
    assert len(store.rows(range(5))) == 5


def test_damaged_vectors_hurt_only_what_reads_them(small, data):
    flip(data[0], ranges(small, data[0])[-1][0])
    store = Store.open(small.path)
    assert len(store.rows(range(5))) == 5
    with pytest.raises(CorruptError, match=data[0].name):  # else the damage would be hashed anew as what was meant
        store.compact()
    assert [problem.file for problem in store.verify(show_progress=False).problems] == [
        data[0].relative_to(small.path).as_posix()
    ]


def test_a_file_is_hashed_once_in_a_process_and_again_when_written(small, data, monkeypatch):
    hashed = []
    monkeypatch.setattr(durable, "sha256_of", lambda path, *a, **o: hashed.append(path) or sha256_of(path, *a, **o))
    copy = shutil.copytree(small.path, small.path.parent / "copy.index")
    count = len(hashed)
    for _ in range(3):
        Store.open(copy).rows([0])
    rows = [path for path in hashed[count:] if "data" in path.parts]
    assert len(rows) == 1
    flip(copy / data[0].relative_to(small.path), 0)
    flip(copy / data[0].relative_to(small.path), 0)
    Store.open(copy).rows([0])
    assert [path for path in hashed[count:] if "data" in path.parts] == 2 * rows


def test_ranges_are_left_out_of_a_hash(tmp_path):
    whole = bytes(range(256)) * 9000
    (tmp_path / "whole").write_bytes(whole)
    for without in ((), ((0, 10),), ((5, 1_200_000), (1_300_000, 1_300_001)), ((len(whole) - 3, len(whole)),)):
        left, last = b"", 0
        for start, stop in without:
            left, last = left + whole[last:start], stop
        (tmp_path / "left").write_bytes(left + whole[last:])
        assert sha256_of(tmp_path / "whole", without=without) == sha256_of(tmp_path / "left")
