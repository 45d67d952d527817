"""Damage of every file, and what a repair makes of it."""

import random
import shutil
import threading
import time

import pytest
import torch

from hyperir.core.errors import CorruptError, InputError, LockedError
from hyperir.index import commit as commits
from hyperir.index.repair import repair
from hyperir.index.store import Store


@pytest.fixture
def store(small, add):
    """Commits 2: d0-d2, 3: d3-d4, 4: d1 and d3 deleted, 5: d5-d6 and a scalar index, 6: d0 replaced."""
    with small.writer() as writer:
        writer.delete(["d1", "d3"])
    add(small, 5, 2)
    with small.writer() as writer:
        writer.index_columns(["year"])
        writer.replace([{"id": "d0", "text": "new"}], torch.zeros(1, 4))
    return small.refresh()


def damage(store, name):
    path = store.path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def fixed(store):
    """Repair; everything is whole afterwards, also the next write."""
    before = {p: p.read_bytes() for p in store.path.rglob("*") if p.is_file() and p.name != "LOCK"}
    planned = repair(store.path, show_progress=False)
    assert {p: p.read_bytes() for p in store.path.rglob("*") if p.is_file() and p.name != "LOCK"} == before
    plan = repair(store.path, apply=True, show_progress=False)
    assert plan == planned
    again = Store.open(store.path)
    report = again.verify(show_progress=False)
    assert report.ok, str(report)
    assert report.leftovers == ()
    assert again.number == plan.newest + 1
    assert again.commit.next_key >= store.commit.next_key
    assert again.history()[-1].change == "repaired"
    for past in again.history():
        Store.open(again.path, past.number).rows([])
    assert not repair(store.path, apply=True, show_progress=False).needed
    with again.writer() as writer:
        writer.append([{"id": "last", "text": ""}], torch.ones(1, 4))
    last = again.refresh()
    assert len(last) == len(again) + 1
    assert int(last.docs.keys[-1]) >= store.commit.next_key
    assert last.verify(show_progress=False).ok
    return plan, again


def same(store, again):
    assert again.docs.keys.tolist() == store.docs.keys.tolist()
    assert torch.equal(again.docs[:].vectors, store.docs[:].vectors)
    assert again.rows(range(again.commit.stored)) == store.rows(range(store.commit.stored))
    assert again.ids([again.positions(["d5"])[0]]) == ["d5"]


def test_a_whole_index_is_left_alone(store):
    plan = repair(store.path, apply=True, show_progress=False)
    assert str(plan) == f"{store.path}: whole, nothing to repair"
    assert store.refresh() is store
    with pytest.raises(InputError, match="no index at"):
        repair(store.path / "nothing")


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("gone", [False, True])
def test_packed_vectors_are_made_again_bit_for_bit(store, which, gone):
    name = store.commit.generations[which].file
    whole = (store.path / name).read_bytes()
    if gone:
        (store.path / name).unlink()
        (store.path / name).parent.rmdir()
    else:
        damage(store, name)
    plan, again = fixed(store)
    assert (store.path / name).read_bytes() == whole
    assert (plan.lost_documents, plan.lost_commits, plan.given_up) == (0, (), ())
    assert f"made again from the rows, as it was: {name}" in str(plan)
    same(Store.open(store.path, store.number), again)
    assert [past.number for past in again.history()] == list(range(1, 9))


def test_scalar_indices_are_made_again(store):
    name = next(n for n in store.commit.files if "_indices" in n)
    damage(store, name)
    plan, again = fixed(store)
    assert plan.reindexed
    assert (plan.lost_documents, plan.lost_commits) == (0, ())
    assert again.commit.indexed == ("year",)
    assert not (store.path / name).exists()
    assert len(again) == len(store)
    assert "made again: scalar indices" in str(plan)


def test_a_transaction_that_no_reader_needs(store):
    name = next(n for n in store.commit.files if n.endswith(".txn"))
    damage(store, name)
    plan, again = fixed(store)
    assert (plan.lost_documents, plan.lost_commits) == (0, ())
    assert name not in again.commit.files
    assert len(again) == len(store)


def newest_only(store, part):
    older = {n for past in store.history()[:-1] for n in commits.load(store.place, past.number).files}
    return next(n for n in sorted(store.commit.files.keys() - older) if part in n)


@pytest.mark.parametrize("part", ["data/", "_versions/", "tombs/"])
def test_damaged_rows_or_tombstones_go_back_to_the_newest_whole_commit(store, part):
    damage(store, newest_only(store, part))
    plan, again = fixed(store)
    assert plan.lost_commits == (6,)
    assert (plan.base.number, again.number, len(again)) == (5, 7, 5)
    assert again.rows(again.positions(["d0"]))[0]["text"] == "text 0"
    expected = ("unknown", "unknown") if part == "tombs/" else ("1", "1")
    said = str(plan)
    assert "back to commit 5, with 5 documents" in said
    assert f"lost documents: {expected[0]}" in said
    assert f"that are back: {expected[1]}" in said
    assert [past.number for past in again.history()] == [1, 2, 3, 4, 5, 7, 8]


def test_a_deletion_whose_tombstones_are_damaged_is_undone_and_said(small):
    with small.writer() as writer:
        writer.delete(["d1", "d3"])
    damage(small, small.refresh().commit.tombstones[0])
    plan, again = fixed(small)
    assert (plan.lost_documents, plan.revived_documents, len(again)) == (0, 2, 5)


@pytest.mark.parametrize("number", [6, 5])
def test_a_damaged_commit(store, number):
    (store.path / commits.name_of(number)).write_bytes(b"\0" * 100)
    plan, again = fixed(store)
    if number == 6:
        assert (plan.lost_commits, plan.lost_documents) == ((6,), None)
        assert "lost documents: unknown" in str(plan)
        assert again.commit.next_key == store.commit.next_key  # seen in the packed vectors that nothing names
    else:
        assert plan.lost_commits == ()
        assert plan.given_up == (1, 2, 3, 4, 5)
        assert "older snapshots given up: 1, 2, 3, 4, 5" in str(plan)
        same(store, again)


def test_a_commit_missing_in_the_middle(store):
    (store.path / commits.name_of(3)).unlink()
    plan, again = fixed(store)
    assert plan.given_up == (1, 2)
    same(store, again)


def test_where_nothing_is_whole_nothing_is_changed(store):
    damage(store, next(n for n in store.commit.files if "data/" in n and n in commits.load(store.place, 2).files))
    for number in (1,):
        (store.path / commits.name_of(number)).write_bytes(b"")
    plan = repair(store.path, show_progress=False)
    assert plan.base is None
    assert "no commit is whole" in str(plan)
    before = {p: p.read_bytes() for p in store.path.rglob("*") if p.is_file() and p.name != "LOCK"}
    with pytest.raises(CorruptError, match="nothing can be saved"):
        repair(store.path, apply=True, show_progress=False)
    assert {p: p.read_bytes() for p in store.path.rglob("*") if p.is_file() and p.name != "LOCK"} == before


def test_a_repair_waits_for_a_writer_where_told_to(store):
    inside = threading.Event()

    def hold():
        with store.writer() as writer:
            inside.set()
            time.sleep(0.3)
            writer.delete(["d2"])

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    assert not repair(store.path, show_progress=False).needed, "a plan needs no lock"
    with pytest.raises(LockedError):
        repair(store.path, apply=True, show_progress=False)
    plan = repair(store.path, apply=True, show_progress=False, wait=30)
    thread.join()
    assert plan.newest == store.number + 1, "what the other writer committed meanwhile"


def test_any_damage_of_any_two_files_is_repaired_or_said(store, tmp_path):
    chance = random.Random(3)
    files = sorted(p.relative_to(store.path).as_posix() for p in store.path.rglob("*") if p.is_file())
    for trial in range(12):
        copy = tmp_path / f"{trial}.index"
        shutil.copytree(store.path, copy)
        for name in chance.sample([name for name in files if name != "LOCK"], 2):
            (copy / name).write_bytes(chance.randbytes(50))
        plan = repair(copy, show_progress=False)
        if plan.base is None:
            continue
        assert repair(copy, apply=True, show_progress=False) == plan
        report = Store.open(copy).verify(show_progress=False)
        assert report.ok, f"{report}\n{plan}"
        assert report.leftovers == ()
