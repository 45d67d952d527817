"""Deletions, replacements, checkpoints, snapshots, and what they refuse."""

import shutil
from pathlib import Path

import pytest
import torch

from hyperir.core.docs import Multi, Sparse
from hyperir.core.errors import DuplicateIdError, InputError, StoreError
from hyperir.index import commit as commits
from hyperir.index import durable, retention
from hyperir.index.folder import LocalFolder
from hyperir.index.store import Store

FORMATS = Path(__file__).parent / "formats"


def living(store):
    """id -> (text, vector) of what is alive."""
    alive = [True] * store.commit.stored if store.alive is None else store.alive.tolist()
    rows, vectors = store.rows(range(store.commit.stored)), store.docs[:].vectors.tolist()
    kept = [(r["id"], (r["text"], v)) for r, v, a in zip(rows, vectors, alive, strict=True) if a]
    assert len(dict(kept)) == len(kept) == len(store)
    return dict(kept)


def test_a_deletion_hides_rows_and_their_positions(small):
    assert small.alive is None
    with small.writer() as writer:
        assert writer.delete(["d1", "d3", "d1"]) == 2
    later = small.refresh()
    assert (len(small), len(later), later.commit.stored) == (5, 3, 5)
    assert later.alive.tolist() == [True, False, True, False, True]
    assert later.docs.shape == (5,)
    assert later.positions(["d4", "d1", "d0", "nobody", "d4"]) == [4, -1, 0, -1, 4]
    assert small.positions(["d1"]) == [1]
    assert list(living(later)) == ["d0", "d2", "d4"]
    assert later.commit.files.keys() - small.commit.files.keys() == set(later.commit.tombstones)
    with later.writer() as writer:
        writer.delete(["d0"])
    assert later.refresh().alive.tolist() == [False, False, True, False, True]
    assert later.refresh().verify(show_progress=False).ok


def test_ids_that_are_not_there(small):
    before = small.commit
    with small.writer() as writer:
        with pytest.raises(InputError, match=r"6 of 7 ids are not in the index\n(.|\n)*'n0', 'n1', 'n2', 'n3', 'n4', \.\.\.(.|\n)*missing_ok"):  # fmt: skip  # noqa: E501
            writer.delete(["d0", *(f"n{i}" for i in range(6))])
        with pytest.raises(InputError, match=r"a list: \['d0'\]"):
            writer.delete("d0")
        with pytest.raises(InputError, match=r"int 3\n.*str\(id\)"):
            writer.delete([3])
        with pytest.raises(InputError, match="not valid Unicode"):
            writer.delete(["\ud800"])
        assert writer.delete([]) == 0
        assert writer.delete(["n0"], missing_ok=True) == 0
    assert small.refresh().commit == before
    with small.writer() as writer:
        assert writer.delete(["d0", "n0"], missing_ok=True) == 1
        with pytest.raises(InputError, match="1 of 1 ids"):
            writer.delete(["d0"])
    with pytest.raises(InputError, match="a list"):
        small.positions("d0")


def test_a_deleted_id_may_come_again_under_a_new_key(small, rows, vectors):
    with small.writer() as writer:
        writer.delete(["d1"])
        writer.append([{"id": "d1", "text": "new"}], vectors(9, 1))
        with pytest.raises(DuplicateIdError, match="'d1' is already row 0 of this add"):
            writer.append([{"id": "d1", "text": "new"}], vectors(9, 1))
    later = small.refresh()
    assert later.positions(["d1"]) == [5]
    assert later.docs.keys.tolist() == [0, 1, 2, 3, 4, 5]
    assert later.rows([5])[0]["text"] == "new"
    with later.writer() as writer:
        writer.delete(["d1"])
        writer.append(rows(1, 1), vectors(1, 1))
    assert later.refresh().positions(["d1"]) == [6]
    assert later.refresh().verify(show_progress=False).ok


@pytest.mark.parametrize("buffer", [1, 1 << 20])
def test_rows_added_and_deleted_by_one_writer(small, rows, vectors, monkeypatch, buffer):
    monkeypatch.setattr("hyperir.index.pending.BUFFER", buffer)
    with small.writer() as writer:
        writer.append(rows(10, 3), vectors(10, 3))
        writer.append([{"id": "blank", "text": ""}], vectors(0, 1))
        assert writer.delete(["d11", "blank", "d0"]) == 3
        writer.append(rows(11, 1), vectors(11, 1))
    later = small.refresh()
    assert list(living(later)) == ["d1", "d2", "d3", "d4", "d10", "d12", "d11"]
    assert later.commit.empty_texts == 0
    assert later.verify(show_progress=False).ok


def test_a_replacement_is_one_commit(small, vectors):
    new = [{"id": "d3", "text": "new 3", "year": 1}, {"id": "d0", "title": "T", "text": "new 0"}]
    with small.writer() as writer:
        assert writer.replace(new, vectors(20, 2)) == 2
    later = small.refresh()
    assert (later.number, len(later), later.commit.stored) == (small.number + 1, 5, 7)
    assert later.positions(["d0", "d3"]) == [6, 5]
    assert later.rows([5, 6]) == [{"title": "", **new[0]}, {"year": None, **new[1]}]
    assert torch.equal(later.docs[5:].vectors, vectors(20, 2))
    assert small.rows([0])[0]["text"] == "text 0"


def test_what_a_replacement_refuses(small, vectors):
    row = {"id": "n", "text": ""}
    with small.writer() as writer:
        with pytest.raises(InputError, match=r"1 of 1 ids are not in the index(.|\n)*insert_missing"):
            writer.replace([row], vectors(0, 1))
        with pytest.raises(DuplicateIdError, match="stands twice"):
            writer.replace([{"id": "d0", "text": ""}] * 2, vectors(0, 2))
        with pytest.raises(InputError, match="metadata column"):
            writer.replace([{"id": "d0", "text": "", "other": 1}], vectors(0, 1))
        assert writer.replace([], vectors(0, 0)) == 0
    assert small.refresh() is small
    with small.writer() as writer:
        assert writer.replace([row, {"id": "d0", "text": "new"}], vectors(0, 2), insert_missing=True) == 1
        assert writer.replace([{"id": "n", "text": "newer"}], vectors(1, 1)) == 1
    later = small.refresh()
    assert len(later) == 6
    assert living(later)["n"] == ("newer", vectors(1, 1)[0].tolist())


def test_empty_texts_are_counted_among_the_living(tmp_path):
    store = Store.create(tmp_path / "e.index", width=1)
    with store.writer() as writer:
        writer.append([{"id": i, "text": "" if i < "c" else "x"} for i in "abcd"], torch.zeros(4, 1))
    with store.writer() as writer:
        writer.delete(["a", "c"])
        writer.replace([{"id": "b", "text": "full"}, {"id": "d", "text": " "}], torch.zeros(2, 1))
    assert store.refresh().info()["empty_texts"] == 1
    assert store.refresh().info()["documents"] == 2


def test_all_documents_deleted_and_some_added_again(small, rows, vectors):
    with small.writer() as writer:
        writer.delete([f"d{i}" for i in range(5)])
    empty = small.refresh()
    assert (len(empty), living(empty), empty.alive.sum()) == (0, {}, 0)
    bare = empty.compact()
    assert (len(bare), bare.commit.stored, bare.docs.shape, bare.positions(["d0"])) == (0, 0, (0,), [-1])
    assert bare.alive is None
    with bare.writer() as writer:
        writer.append(rows(0, 2), vectors(0, 2))
    again = bare.refresh()
    assert again.rows([0, 1]) == rows(0, 2)
    assert again.docs.keys.tolist() == [5, 6]
    assert again.verify(show_progress=False).ok


def test_a_checkpoint_stays_whatever_comes_later(small, rows, vectors):
    with pytest.raises(ZeroDivisionError), small.writer() as writer:  # noqa: PT012
        writer.append(rows(10, 2), vectors(10, 2))
        writer.delete(["d0"])
        assert writer.checkpoint().number == 4
        assert writer.checkpoint().number == 4  # nothing new
        with pytest.raises(DuplicateIdError, match="'d10' is already row 5 of the index; it comes again as row 2 of"):
            writer.append(rows(10, 1), vectors(10, 1))
        writer.append(rows(12, 2), vectors(12, 2))
        writer.delete(["d1", "d10"])
        raise ZeroDivisionError
    later = small.refresh()
    assert later.number == 4
    assert list(living(later)) == ["d1", "d2", "d3", "d4", "d10", "d11"]
    report = later.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()
    with later.writer() as writer:
        writer.append(rows(12, 1), vectors(12, 1))
        writer.checkpoint()
        writer.append(rows(13, 1), vectors(13, 1))
        assert writer.added == 2
    assert later.refresh().number == 6
    assert later.refresh().docs.keys.tolist() == list(range(9))


def test_history_and_older_commits(small, add):
    with small.writer() as writer:
        writer.delete(["d0"])
    later = add(small.refresh(), 5, 1)
    past = later.history()
    assert [(p.number, p.documents, p.change) for p in past] == [
        (1, 0, "created"), (2, 3, "added 3"), (3, 5, "added 2"), (4, 4, "deleted 1"), (5, 5, "added 1"),
    ]  # fmt: skip
    assert past[-1].created == later.commit.created
    older = Store.open(later.path, 3)
    assert (len(older), older.alive, older.ids([0])) == (5, None, ["d0"])
    assert older.refresh().number == 5
    with pytest.raises(InputError, match=r"has no commit 6\n.*retained: 1 to 5"):
        Store.open(later.path, 6)
    assert later.refresh() is later


def files_of(root):
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != "LOCK"}


def named(root):
    place = LocalFolder(root)
    numbers = commits.numbers(place)
    files = set().union(*(commits.load(place, number).files for number in numbers))
    return files | {commits.name_of(number) for number in numbers}


def test_old_commits_end_and_their_files_with_them(small, add, monkeypatch):
    monkeypatch.setattr(retention, "RETAIN", 4)
    loaded = []
    real = commits.load
    monkeypatch.setattr(retention.commits, "load", lambda place, number: loaded.append(number) or real(place, number))
    store = small
    for i in range(5, 45):
        store = add(store, i, 1)
        with store.writer() as writer:
            writer.delete([f"d{i - 2}"])
            loaded.clear()
        assert len(loaded) <= 3  # the one that goes, the one after it
        assert files_of(store.path) == named(store.path)
    assert commits.numbers(store.place) == [80, 81, 82, 83]
    with pytest.raises(StoreError, match=r"commit 3 of .* was given up(.|\n)*80 to 83(.|\n)*refresh\(\)"):
        small.rows([0])
    with pytest.raises(StoreError, match="given up"):
        small.docs  # noqa: B018
    with pytest.raises(InputError, match="retained: 80 to 83"):
        Store.open(store.path, 3)
    assert small.refresh().number == 83


def test_a_reader_that_has_its_vectors_open_keeps_them(small, add, vectors):
    docs = small.docs
    add(small, 5, 1).compact()
    assert torch.equal(docs[:].vectors, vectors(0, 5))
    with pytest.raises(StoreError, match="given up"):
        small.ids([0])


def test_opening_while_the_newest_commit_changes(small, monkeypatch):
    real = commits.check_files
    calls = []

    def check(root, commit):
        if not calls:
            calls.append(commit.number)
            small.compact()
        real(root, commit)

    monkeypatch.setattr(commits, "check_files", check)
    assert Store.open(small.path).number == 4
    assert calls == [3]


def test_a_disk_that_does_not_confirm_the_commit_is_told_as_it_is(small, rows, vectors, monkeypatch):
    real = durable.sync_folder

    def fail(path):
        if (path / "000000000004.json").exists():
            raise OSError(5, "Input/output error")
        real(path)

    monkeypatch.setattr(durable, "sync_folder", fail)
    with pytest.raises(StoreError, match=r"did not confirm commit 4(.|\n)*may or may not survive"), small.writer() as w:
        w.append(rows(5, 1), vectors(5, 1))
    monkeypatch.undo()
    assert len(small.refresh()) == 6
    assert small.refresh().verify(show_progress=False).ok


ONE = {
    "dense": torch.ones(1, 2),
    "multi": Multi.of_list([torch.ones(3, 2)]),
    "sparse": Sparse.of_dense(torch.ones(1, 2)),
}


@pytest.mark.parametrize("sample", [*map(str, range(1, commits.FORMAT + 1)), "5-multi", "5-sparse"])
def test_every_format_opens_searches_verifies_and_goes_on(tmp_path, sample):
    shutil.copytree(FORMATS / sample, tmp_path / "f.index")
    store = Store.open(tmp_path / "f.index")
    assert store.verify(show_progress=False).ok
    assert store.rows([0])[0] == {"id": "d0", "title": "Title 0", "text": "text 0", "year": 2000}
    assert len(store) == 3
    with store.writer() as writer:
        writer.append([{"id": "d9", "text": "", "year": 1}], ONE[store.kind])
        writer.delete(["d0"])
    later = store.refresh()
    assert (later.commit.format_version, len(later)) == (commits.FORMAT, 3)
    assert later.verify(show_progress=False).ok
    assert [p.documents for p in later.history()][-2:] == [3, 3]
    assert Store.open(later.path, store.number).positions(["d0"]) == [0]
    assert later.compact().verify(show_progress=False).ok
