"""An index on an object store: the same index, and writers that die, sleep or race lose nothing of it."""

import json
import threading
import time

import pytest
import torch

from hyperir.core.errors import CorruptError, InputError, LockedError, StoreError, UnreachableError
from hyperir.index import cache, merge, retention, table
from hyperir.index import commit as commits
from hyperir.index.bucket import Bucket
from hyperir.index.lease import Lease
from hyperir.index.objects import ObjectStore
from hyperir.index.place import place_at
from hyperir.index.repair import repair
from hyperir.index.store import Store
from hyperir.index.writer import writing


@pytest.fixture
def address(bucket):
    return f"s3://{bucket}/indexes/small"


def test_the_same_index_as_in_a_folder(address, small, add):
    store = add(add(Store.create(address, width=4), 0, 3), 3, 2)
    assert store.path == address
    assert store.rows(range(5)) == small.rows(range(5))
    assert store.docs[:].vectors.equal(small.docs[:].vectors)
    assert store.docs.keys.equal(small.docs.keys)
    assert {name.split("/")[0] for name in store.commit.files} == {"ann", "rows.lance"}
    report = store.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()
    assert set(store.place.files()) == store.commit.files.keys() | {
        name for number in (1, 2) for name in commits.load(store.place, number).files
    } | {commits.name_of(number) for number in (1, 2, 3)}


@pytest.mark.parametrize("kind", ["multi", "sparse"])
def test_other_kinds_of_documents(address, rows, documents, kind):
    store = Store.create(address, width=4, kind=kind)
    for start in (0, 3):
        with store.writer() as writer:
            writer.append(rows(start, 3), documents(kind, start, 3))
            writer.delete([f"d{start}"])
    store = store.refresh()
    expected = documents(kind, 0, 6)
    assert store.docs[:].indptr.equal(expected.indptr)
    compacted = store.compact()
    assert compacted.docs[:].nbytes < store.docs[:].nbytes
    whole(compacted, ["d1", "d2", "d4", "d5"])


def whole(store, ids):
    """Check that a store holds these documents, that it is undamaged, and that no file is left over."""
    alive = range(store.commit.stored) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
    assert sorted(store.ids(alive)) == sorted(ids)
    report = store.verify(show_progress=False)
    assert report.ok, str(report)
    assert report.leftovers == ()
    numbers = commits.numbers(store.place)
    named = {name for number in numbers for name in commits.load(store.place, number).files}
    assert set(store.place.files()) == named | {commits.name_of(number) for number in numbers}


def test_a_whole_life(address, add, rows, vectors, monkeypatch):
    monkeypatch.setattr(merge, "FANOUT", 3)
    store = Store.create(address, width=4)
    for number in range(4):
        store = add(store, 2 * number, 2)
    assert len(store.commit.generations) == 2  # three became one
    with store.writer() as writer:
        assert writer.delete(["d1"]) == 1
        writer.checkpoint()
        assert writer.replace([{**rows(2, 1)[0], "text": "new"}], vectors(9, 1)) == 1
        writer.index_columns(["year"])
    store = store.refresh()
    whole(store, ["d0", "d2", "d3", "d4", "d5", "d6", "d7"])
    assert store.rows(store.positions(["d2"]))[0]["text"] == "new"
    assert [store.ids(store.allowed(where).nonzero()[:, 0].tolist()) for where in ("year >= 2006", "year = 2001")] == [
        ["d6", "d7"],
        [],
    ]
    older = Store.open(address, commit=3)
    assert older.ids(range(len(older))) == ["d0", "d1", "d2", "d3"]
    assert [past.number for past in store.history()] == [1, 2, 3, 4, 5, 6, 7]

    compacted = store.compact()
    whole(compacted, ["d0", "d3", "d4", "d5", "d6", "d7", "d2"])
    assert (len(compacted.history()), compacted.commit.stored, compacted.commit.indexed) == (1, 7, ("year",))
    assert compacted.docs[:].vectors.equal(store.docs[store.alive.nonzero()[:, 0]].vectors)
    with pytest.raises(StoreError, match="given up"):
        older.rows([0])

    monkeypatch.setattr(retention, "RETAIN", 2)
    for number in (10, 11, 12):
        compacted = add(compacted, number, 1)
    assert len(compacted.history()) == 2
    whole(compacted, ["d0", "d2", "d3", "d4", "d5", "d6", "d7", "d10", "d11", "d12"])


def damage(store, name):
    """Other bytes of the same length, also for this machine."""
    size = store.commit.files[name].size
    store.place.remove([name])
    store.place.publish(name, bytes(size))
    for path in cache.folder().iterdir():
        path.unlink()


def test_a_repair_makes_vectors_and_indices_again(address, add):
    store = add(add(Store.create(address, width=4), 0, 3), 3, 2)
    with store.writer() as writer:
        writer.index_columns(["year"])
    store = store.refresh()
    docs = store.docs[:].vectors.clone()
    damage(store, store.commit.generations[0].file)
    damage(store, next(name for name in store.commit.files if "_indices" in name))
    before = store.place.files()
    plan = repair(address, show_progress=False)
    assert store.place.files() == before
    assert (plan.path, plan.reindexed, plan.lost_documents) == (address, True, 0)
    assert repair(address, apply=True, show_progress=False) == plan
    again = store.refresh()
    whole(again, ["d0", "d1", "d2", "d3", "d4"])
    assert again.docs[:].vectors.equal(docs)
    assert again.commit.indexed == ("year",)


def test_a_repair_goes_back_to_the_newest_whole_commit(address, add):
    store = add(add(Store.create(address, width=4), 0, 3), 3, 2)
    damage(store, next(n for n in store.commit.files if "data/" in n and n not in commits.load(store.place, 2).files))
    plan = repair(address, apply=True, show_progress=False)
    assert (plan.lost_commits, plan.lost_documents) == ((3,), 2)
    again = Store.open(address)
    whole(again, ["d0", "d1", "d2"])
    assert again.number == 4
    whole(add(again, 7, 1), ["d0", "d1", "d2", "d7"])


def test_a_repair_takes_the_next_number_from_a_writer_that_may_wake_up(address, add):
    store = add(add(Store.create(address, width=4), 0, 3), 3, 2)
    Lease(store.place._bucket, store.place._key("LOCK"), 0.1).take(0)
    store.place.remove([commits.name_of(3)])
    store.place.publish(commits.name_of(3), b"{}")
    time.sleep(2.2)
    plan = repair(address, apply=True, show_progress=False)
    assert plan.lost_commits == (3, 4)  # 4 was nobody's but the repair's
    again = Store.open(address)
    assert again.number == 5
    whole(again, ["d0", "d1", "d2"])


def test_lance_meets_a_store_that_does_not_answer(address, add, monkeypatch):
    store = add(Store.create(address, width=4), 0, 3)

    def fail(*_, **__):
        raise OSError("LanceError(IO): Generic S3 error: error sending request")

    monkeypatch.setattr("lance.dataset", fail)
    with pytest.raises(UnreachableError, match="does not answer"):
        store.rows([0])
    with pytest.raises(UnreachableError, match="does not answer"):
        store.refresh().verify(show_progress=False)


def test_a_store_that_does_not_answer_is_not_taken_for_a_damaged_index(address, add, monkeypatch):
    store = add(Store.create(address, width=4), 0, 3)
    before = store.place.files()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        for call in (lambda: Store.open(address), lambda: repair(address, apply=True, show_progress=False)):
            with pytest.raises(UnreachableError, match=f"s3://{address.split('/')[2]} does not answer"):
                call()
    real = ObjectStore.read

    def fail(place, name, start=0):
        if name == commits.name_of(1):
            raise UnreachableError("no answer")
        return real(place, name, start)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "sha256", lambda *_: (_ for _ in ()).throw(UnreachableError("no answer")))
        with pytest.raises(UnreachableError, match="no answer"):
            repair(address, apply=True, show_progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "read", fail)
        with pytest.raises(UnreachableError, match="no answer"):
            repair(address, apply=True, show_progress=False)
    assert store.place.files() == before


def test_a_commit_without_an_answer_is_left_to_the_next_writer_to_settle(address, add, rows, vectors, monkeypatch):
    add(Store.create(address, width=4), 0, 3)
    place = place_at(address)
    place.seconds = 1.0
    late = []

    def lose(bucket, key, data, *rest):
        if not key.endswith(".json"):
            return put(bucket, key, data, *rest)
        late.append((key, data))
        raise UnreachableError("no answer")

    def write():
        with writing(place) as writer:
            writer.append(rows(10, 3), vectors(10, 3))

    put = Bucket.put
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", lose)
        with pytest.raises(UnreachableError, match="no answer"):
            write()
    ((key, data),) = late
    written = set(json.loads(data)["files"])
    assert written <= set(place.files())  # nothing was removed that the commit names, should it arrive
    put(place._bucket, key, data)
    with Store.open(address).writer(wait=10) as writer:
        writer.append(rows(20, 1), vectors(20, 1))
    later = Store.open(address)
    whole(later, ["d0", "d1", "d2", "d10", "d11", "d12", "d20"])
    assert [past.change for past in later.history()[-2:]] == ["took over the lock", "added 1"]


def test_a_machine_that_has_nothing_of_it_in_its_cache(address, add, vectors):
    add(Store.create(address, width=4), 0, 3)
    for path in cache.folder().iterdir():
        path.unlink()
    assert Store.open(address).docs[:].vectors.equal(vectors(0, 3))


def test_there_is_one_index_at_an_address(address):
    Store.create(address, width=4)
    with pytest.raises(InputError, match=f"there is already an index at {address}"):
        Store.create(address, width=4)
    with pytest.raises(InputError, match=f"there is no index at {address}-2"):
        Store.open(address + "-2")


def test_a_missing_and_a_damaged_file_are_named(address, add):
    store = add(Store.create(address, width=4), 0, 3)
    packed = store.commit.generations[0].file
    size = store.commit.files[packed].size
    store.place.remove([packed])
    with pytest.raises(CorruptError, match=packed):
        Store.open(address)
    store.place.publish(packed, bytes(size))
    for path in cache.folder().iterdir():
        path.unlink()
    assert [problem.file for problem in store.verify(show_progress=False).problems] == [packed]
    with pytest.raises(CorruptError, match=packed):
        Store.open(address).docs[:]


def test_a_failed_add_leaves_no_object(address, add):
    store = add(Store.create(address, width=4), 0, 3)
    before = store.place.files()

    def fail():
        with store.writer() as writer:
            writer.append([{"id": "x", "text": ""}], torch.zeros(1, 4))
            writer._pending._flush()
            assert store.place.files() != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.place.files() == before
    assert not list(cache.folder().glob("*.part"))


def test_three_writers_lose_nothing(address, rows, vectors):
    Store.create(address, width=4)

    def write(first):
        for number in range(first, first + 2):
            with Store.open(address).writer(wait=60) as writer:
                writer.append(rows(number, 1), vectors(number, 1))

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store.open(address)
    assert sorted(store.ids(range(len(store)))) == sorted(f"d{100 * n + i}" for n in range(3) for i in range(2))
    assert store.number == 7
    assert store.verify(show_progress=False).ok


def test_a_killed_writer(address, add, other_process):
    store = add(Store.create(address, width=4), 0, 3)
    code = (
        "import os\n"
        "from hyperir.index.objects import ObjectStore\n"
        "from hyperir.index.writer import writing\n"
        "place = Store.open(path).place\n"
        "place.seconds, ObjectStore.publish = 1.0, lambda *a: os._exit(9)\n"
        "with writing(place) as w: w.append(rows_of(10, 3), vectors_of(10, 3))\n"
    )
    process = other_process(address, code)
    assert process.communicate()[1] == ""
    assert process.returncode == 9
    assert len(Store.open(address)) == 3
    assert store.verify(show_progress=False).leftovers
    with Store.open(address).writer(wait=10) as writer:
        writer.append([{"id": "new", "title": "", "text": "t", "year": 1}], torch.ones(1, 4))
    later = Store.open(address)
    assert (len(later), later.number) == (4, store.number + 2)  # one of them made the dead writer's commit impossible
    report = later.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()


@pytest.fixture
def sleeper(address, monkeypatch):
    """A place whose lock is not renewed, as if the process had been frozen."""
    monkeypatch.setattr(Lease, "renew_until", lambda *_: None)
    place = place_at(address)
    place.seconds = 1.0
    return place


def test_a_writer_that_sleeps_before_its_commit_spoils_nothing(address, add, rows, vectors, monkeypatch, sleeper):
    add(Store.create(address, width=4), 0, 3)
    put = Bucket.put
    woken = []

    def wake(*arguments):
        with pytest.raises(FileExistsError) as failed:
            put(*arguments)
        woken.append(failed.value)

    def sleep(bucket, key, *rest):
        if bucket is sleeper._bucket and key.endswith(".json"):
            time.sleep(2.5)
            with Store.open(address).writer(wait=10) as writer:
                writer.append(rows(20, 2), vectors(20, 2))
                wake(bucket, key, *rest)
            wake(bucket, key, *rest)
            raise woken[-1]
        return put(bucket, key, *rest)

    def add_and_sleep():
        with writing(sleeper) as writer:
            writer.append(rows(10, 3), vectors(10, 3))

    monkeypatch.setattr(Bucket, "put", sleep)
    with pytest.raises(StoreError):
        add_and_sleep()
    assert len(woken) == 2
    whole(Store.open(address), ["d0", "d1", "d2", "d20", "d21"])


def test_a_writer_that_knows_that_it_lost_its_lock_stops(address, add, rows, vectors, sleeper):
    add(Store.create(address, width=4), 0, 3)

    def add_and_sleep():
        with writing(sleeper) as writer:
            writer.append(rows(10, 3), vectors(10, 3))
            time.sleep(1.1)

    with pytest.raises(LockedError, match="was lost"):
        add_and_sleep()
    assert len(Store.open(address)) == 3


def test_export_from_a_store(address, small, add, tmp_path):
    import pyarrow.parquet as pq

    from hyperir import Index

    add(add(Store.create(address, width=4), 0, 3), 3, 2)
    index, local = Index.open(address), Index.open(small.path)
    index.delete(["d1"])
    local.delete(["d1"])
    for one, name in ((index, "there"), (local, "here")):
        assert one.export(tmp_path / f"{name}.parquet", where="year != 2003", show_progress=False) == 3
        assert one.export(tmp_path / name, format="beir", show_progress=False) == 4
    assert pq.read_table(tmp_path / "there.parquet").equals(pq.read_table(tmp_path / "here.parquet"))
    assert (tmp_path / "there/corpus.jsonl").read_text() == (tmp_path / "here/corpus.jsonl").read_text()
    with pytest.raises(InputError, match="there is no folder"):
        index.export(f"{address}/out.parquet", show_progress=False)


def test_rows_of_a_process_without_the_lock_are_noticed(address, add, rows, vectors, monkeypatch):
    import lance

    store = add(Store.create(address, width=4), 0, 3)
    before = table.publish

    def with_another(rows, change):
        where = rows.place.table(table.FOLDER)
        other = lance.LanceOperation.Append(table.append_fragments(rows, store._rows.dataset.to_table()))
        lance.LanceDataset.commit(where.uri, other, read_version=rows.version, storage_options=where.options)
        return before(rows, change)

    with monkeypatch.context() as patch:
        patch.setattr(table, "publish", with_another)
        with pytest.raises(StoreError, match="another process changed the rows"):
            add(store, 10, 2)
    assert len(add(store, 10, 2)) == 5


def test_a_model_that_was_fitted_to_it(address, add, tmp_path):
    store = add(Store.create(address, width=4), 0, 3)
    (tmp_path / "model" / "training").mkdir(parents=True)
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "model" / "training" / "log.jsonl").write_text("1\n")
    with store.writer() as writer:
        writer.keep_fitted(tmp_path / "model", "fitted")
    later = Store.open(address)
    with later.fitted_folder() as folder:
        found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == {"config.json": "{}", "training/log.jsonl": "1\n"}
    whole(later, ["d0", "d1", "d2"])
