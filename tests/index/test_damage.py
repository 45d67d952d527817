"""Damage is noticed, and the file is named."""

import json
import random

import lance
import numpy as np
import pytest
import torch
from safetensors.numpy import save

from hyperir.core.errors import CorruptError, InputError, StoreError
from hyperir.index import commit as commits
from hyperir.index.commit import Commit, FileRecord, Generation
from hyperir.index.durable import sha256_of
from hyperir.index.folder import LocalFolder
from hyperir.index.kinds import Block
from hyperir.index.packed import PackedWriter
from hyperir.index.store import Store
from hyperir.index.verify import verify


def all_files(root):
    return sorted(p for p in root.rglob("*") if p.is_file() and p.name != "LOCK")


def test_a_flipped_bit_anywhere_is_found_and_named(small):
    chance = random.Random(0)
    files = all_files(small.path)
    assert len(files) == 11  # 3 commits, 2 x (vectors, data, manifest, transaction)
    for path in files:
        whole = path.read_bytes()
        for at in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(12))}:
            damaged = bytearray(whole)
            damaged[at] ^= 1 << chance.randrange(8)
            path.write_bytes(damaged)
            report = verify(small.path, show_progress=False)
            assert [p.file for p in report.problems] == [path.relative_to(small.path).as_posix()], f"{path} at {at}"
            assert not report.ok
            assert path.name in str(report)
        path.write_bytes(whole)
    assert verify(small.path, show_progress=False).ok


def test_a_file_of_another_length_or_none_is_named_when_opening(small):
    for name in small.commit.files:
        path = small.path / name
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole + b"x", b"", None):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            with pytest.raises(CorruptError) as caught:
                Store.open(small.path)
            assert name in str(caught.value)
            assert "hyperir verify" in str(caught.value)
            with pytest.raises(CorruptError), small.writer():
                pass
            assert [p.file for p in verify(small.path, show_progress=False).problems] == [name]
            path.write_bytes(whole)
    assert len(Store.open(small.path)) == 5


def test_a_damaged_manifest_never_reaches_lance(small):
    name = next(n for n in small.commit.files if n.endswith(".manifest"))
    data = bytearray((small.path / name).read_bytes())
    data[len(data) // 2] ^= 4
    (small.path / name).write_bytes(data)
    with pytest.raises(CorruptError, match=name):
        Store.open(small.path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "not json", "a list", "deep", "swap", "blank"])
def test_a_damaged_newest_commit_is_an_error_and_never_an_older_index(small, damage):
    path = small.path / commits.name_of(3)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b'"documents": 5') + 13] = ord("6")
    path.write_bytes(
        {
            "flip": flipped,
            "truncate": whole[:-20],
            "empty": b"",
            "not json": b"\xff\xfe",
            "a list": b"[]",
            "deep": b"[" * 100_000,
            "swap": (small.path / commits.name_of(2)).read_bytes(),
            "blank": whole.replace(b'": ', b'":  ', 1),
        }[damage]
    )
    with pytest.raises(CorruptError, match=r"commits/000000000003\.json in .* is damaged(.|\n)*hyperir verify"):
        Store.open(small.path)
    with pytest.raises(CorruptError, match=r"000000000003\.json"), small.writer():
        pass
    with pytest.raises(InputError, match="already an index"):
        Store.create(small.path, width=4)
    report = verify(small.path, show_progress=False)
    assert [p.file for p in report.problems] == ["commits/000000000003.json"]
    assert report.documents is None


def rewrite(root, **changes):
    """Replace the newest commit by a changed one with a right hash."""
    number = commits.numbers(LocalFolder(root))[-1]
    record = json.loads((root / commits.name_of(number)).read_bytes()) | changes
    del record["sha256"]
    (root / commits.name_of(number)).write_bytes(commits._sealed(record))


def test_a_newer_format_says_what_to_do(small):
    rewrite(small.path, format_version=commits.FORMAT + 1, something_new=[1])
    with pytest.raises(StoreError) as caught:
        Store.open(small.path)
    assert not isinstance(caught.value, CorruptError)
    for part in (
        "newer release",
        f"index format {commits.FORMAT} or older",
        f"index format {commits.FORMAT + 1}",
        "pip install --upgrade hyperir",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "C:/x", "a\\..\\x", "./a", "a//b"])
def test_a_commit_cannot_name_files_elsewhere(small, name):
    files = {name: {"size": 1, "sha256": "0"}}
    rewrite(small.path, files=files | {n: r.model_dump() for n, r in small.commit.files.items()})
    with pytest.raises(CorruptError, match="leaves the index folder"):
        Store.open(small.path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stored": 6}, "do not add up"),
        ({"documents": 6}, "tombstones do not account"),
        ({"documents": 4}, "tombstones do not account"),
        ({"files": {}}, "no size and hash"),
        ({"tombstones": ["tombs/x"]}, "no size and hash"),
        ({"unheard": 1}, "unknown key 'unheard'"),
        ({"width": "wide"}, "wrong value for 'width'"),
    ],
)
def test_a_commit_that_contradicts_itself(small, changes, said):
    rewrite(small.path, **changes)
    with pytest.raises(CorruptError, match=said):
        Store.open(small.path)


def test_a_commit_missing_in_the_middle_is_named(small, add):
    add(small, 5, 1)
    (small.path / commits.name_of(3)).unlink()
    assert [p.file for p in verify(small.path, show_progress=False).problems] == [commits.name_of(3)]


def forge(store, vectors, keys, **changes):
    """A commit whose packed file is whole but holds something else."""
    name = store.commit.generations[0].file
    path = store.path / name
    path.unlink()
    writer = PackedWriter(path, store.width, store.dtype)
    writer.write(Block((np.array(vectors, np.float32),)))
    writer.finish([np.array(keys)])
    record = FileRecord(size=path.stat().st_size, sha256=sha256_of(path))
    (store.path / commits.name_of(2)).unlink()
    values = {**dict(store.commit), "files": {**store.commit.files, name: record}, **changes}
    commits.publish(store.place, Commit(**values))
    return [f"{p.file}: {p.what}" for p in Store.open(store.path).verify(show_progress=False).problems]


@pytest.mark.parametrize(
    ("vectors", "keys", "changes", "said"),
    [
        ([[1], [2], [float("nan")]], [0, 1, 2], {}, "vector of its row 2 is not finite"),
        ([[1], [2], [3]], [0, 2, 1], {}, "keys are not increasing"),
        ([[1], [2], [3]], [0, 1, 1], {}, "keys are not increasing"),
        ([[1], [2], [3]], [0, 1, 3], {}, "key 3 was given"),
        ([[1], [2], [3]], [0, 1, 3], {"next_key": 4}, "keys differ"),
        ([[1], [2]], [0, 1], {"documents": 2, "stored": 2}, "3 rows, committed with 2"),
    ],
)
def test_parts_that_do_not_agree(tmp_path, add, vectors, keys, changes, said):
    store = add(Store.create(tmp_path / "f.index", width=1), 0, 3)
    if "documents" in changes:
        changes = changes | {"generations": (Generation(file=store.commit.generations[0].file, documents=2),)}
    assert any(said in problem for problem in forge(store, vectors, keys, **changes))


def test_rows_that_lance_cannot_read_are_a_corrupt_error(small, monkeypatch):
    def fail(*_, **__):
        raise OSError("LanceError(IO): not a lance file")

    monkeypatch.setattr(lance, "dataset", fail)
    with pytest.raises(CorruptError, match=r"rows\.lance in .* cannot be read\n.*not a lance file"):
        Store.open(small.path).rows([0])


def test_a_panic_of_lance_is_a_corrupt_error(small, monkeypatch):
    class PanicException(BaseException):  # as the real one, whose type cannot be imported
        pass

    def panic(*_, **__):
        raise PanicException("the offset + length of the sliced Buffer cannot exceed the existing length")

    monkeypatch.setattr(lance, "dataset", panic)
    with pytest.raises(CorruptError, match=r"cannot be read\n.*sliced Buffer"):
        Store.open(small.path).rows([0])

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(lance, "dataset", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Store.open(small.path).rows([0])


def test_verify_says_how_much_it_read(small):
    report = small.verify(show_progress=False)
    assert report.ok
    assert (report.files, report.documents) == (11, 5)
    assert report.bytes == sum(p.stat().st_size for p in all_files(small.path) if p.suffix != ".json")
    assert str(report).startswith(f"{small.path}: whole; 5 documents, 11 files, ")


def test_verify_needs_an_index(tmp_path):
    with pytest.raises(InputError, match="there is no index at"):
        verify(tmp_path)


def test_a_reader_is_not_disturbed_by_a_writer(small, add):
    docs = small.docs[0:3].vectors
    later = small
    for start in range(5, 15, 2):
        later = add(later, start, 2)
        assert small.ids(range(5)) == [f"d{i}" for i in range(5)]
    assert torch.equal(docs, later.docs[0:3].vectors)
    assert len(later) == 15


@pytest.mark.parametrize(
    ("dead", "said"),
    [
        ([1, 1], "keys are not increasing"),
        ([3, 1], "keys are not increasing"),
        ([1, 9], "belongs to no row stored"),
        ([1], "int64 of shape (1,)"),
        ([[1, 3]], "int64 of shape (1, 2)"),
        ([1.0, 3.0], "float64 of shape (2,)"),
    ],
)
def test_tombstones_that_do_not_agree(small, dead, said):
    with small.writer() as writer:
        writer.delete(["d1", "d3"])
    store = small.refresh()
    name = store.commit.tombstones[0]
    (store.path / name).write_bytes(save({"keys": np.array(dead)}))
    record = FileRecord(size=(store.path / name).stat().st_size, sha256=sha256_of(store.path / name))
    files = {n: r.model_dump() for n, r in (store.commit.files | {name: record}).items()}
    rewrite(store.path, files=files)
    (problem,) = verify(store.path, show_progress=False).problems
    assert problem.file == name
    assert said in problem.what


def test_damaged_tombstones_never_reach_a_parser(small):
    with small.writer() as writer:
        writer.delete(["d1"])
    store = small.refresh()
    path = store.path / store.commit.tombstones[0]
    path.write_bytes(b"\xff" * path.stat().st_size)
    opened = Store.open(store.path)
    with pytest.raises(CorruptError, match=r"tombs\.safetensors in .* damaged(.|\n)*other bytes"):
        opened.alive  # noqa: B018
    with pytest.raises(CorruptError, match=r"tombs\.safetensors"), store.writer():
        pass
    assert [p.file for p in verify(store.path, show_progress=False).problems] == [store.commit.tombstones[0]]
