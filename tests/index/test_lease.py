"""The lock of an object store: renewed by its holder, taken over when it is old, and never held by two."""

import os
import threading
import time

import pytest

from hyperir.core.errors import LockedError
from hyperir.index.bucket import Bucket, ChangedError
from hyperir.index.lease import Lease, lease

KEY = "my.index/LOCK"


@pytest.fixture
def store(bucket):
    return Bucket(bucket)


def abandoned(store, seconds):
    """A lock whose holder renews it no more."""
    held = Lease(store, KEY, seconds)
    held.take(0)
    return held


def test_it_is_deleted_in_the_end(store):
    with lease(store, KEY):
        assert store.head(KEY) is not None
    assert store.head(KEY) is None


def test_a_holder_that_works_for_long_keeps_it(store):
    with lease(store, KEY, seconds=1) as held:
        first = store.head(KEY).tag
        with pytest.raises(LockedError), lease(store, KEY, wait=4):
            pass
        held.check()
        assert store.head(KEY).tag != first
        assert not held.taken_over


def test_the_lock_of_a_killed_holder_is_free_when_it_is_old(store):
    lost = abandoned(store, seconds=1)
    with pytest.raises(LockedError, match=f"process {os.getpid()} on .* \\(this process\\)\n.*free after 1 seconds"):
        Lease(store, KEY, 1).take(0)
    with lease(store, KEY, wait=10) as held:
        assert held.taken_over
        held.check()
        with pytest.raises(LockedError, match="was lost"):
            lost.check()
        with pytest.raises(ChangedError):
            lost._write(lost._tag)
        lost.release()
        assert store.head(KEY) is not None  # it removed nothing of the new holder's
        held.fenced()
        assert held.dirty
        held.dirty = False
    assert store.head(KEY) is None


def test_a_lock_that_was_taken_is_not_given_back_before_the_fence(store):
    abandoned(store, seconds=0.1)
    with lease(store, KEY, wait=10, seconds=0.5):
        pass
    with lease(store, KEY, wait=10) as held:
        assert held.taken_over


def test_a_lost_lock_is_noticed_by_the_thread_that_renews_it(store):
    with lease(store, KEY, seconds=1.5) as held:
        store.delete(KEY)
        Lease(store, KEY, 30).take(0)
        time.sleep(0.9)
        with pytest.raises(LockedError, match="was lost"):
            held.check()


def test_a_lock_that_is_deleted_by_hand_is_lost(store):
    with lease(store, KEY, seconds=1.5) as held:
        store.delete(KEY)
        time.sleep(0.9)
        with pytest.raises(LockedError, match="was lost"):
            held.check()


def test_of_many_one_takes_an_old_lock(store):
    abandoned(store, seconds=0.1)
    time.sleep(2.2)
    results = []

    def take():
        held = Lease(Bucket(store.name), KEY, 30)
        try:
            held.take(0)
        except LockedError:
            return
        results.append(held)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [held.taken_over for held in results] == [True]


def test_eight_threads_count_one_after_the_other(store):
    store.put("count", b"0")

    def count():
        mine = Bucket(store.name)
        with lease(mine, KEY, wait=60):
            number = int(mine.get("count"))
            mine.put("count", b"%d" % (number + 1), replaces=mine.head("count").tag)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("count") == b"8"


def test_an_answer_that_was_lost_on_its_way(store, monkeypatch):
    put = Bucket.put

    def twice(self, *arguments):
        put(self, *arguments)
        return put(self, *arguments)

    monkeypatch.setattr(Bucket, "put", twice)
    with lease(store, KEY) as held:
        held.check()
        held._write(held._tag)
        held.check()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"pid": 1}'])
def test_a_lock_that_says_nothing(store, note):
    store.put(KEY, b"?", note)
    with pytest.raises(LockedError, match="by another process"), lease(store, KEY):
        pass
