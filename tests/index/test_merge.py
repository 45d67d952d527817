"""Few generations, however many adds of whatever size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperir.index.merge import FANOUT, full, smaller, tier
from hyperir.index.store import Store


def test_tiers():
    assert [tier(n) for n in (0, 1, 15, 16, 255, 256, 4095, 4096, 16**5 - 1, 16**5)] == [0, 0, 0, 1, 1, 2, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("sizes", "start"),
    [
        ([], 0),
        ([1] * 15, 15),
        ([1] * 16, 0),
        ([20, *[1] * 16], 1),
        ([*[20] * 15, *[1] * 16], 0),  # one merge fills the next tier
        ([1, 20] * 15, 30),
        ([*[1, 20] * 15, 20], 1),
        ([300, *[1, 20] * 15, 20], 2),
        ([1000, *[1] * 15], 16),
    ],
)
def test_which_generations_become_one(sizes, start):
    assert full(sizes) == start


@pytest.mark.parametrize(
    ("sizes", "added", "start"),
    [([], 9, 0), ([1], 20, 1), ([1, 1], 20, 0), ([20, 1, 1], 20, 1), ([300, 20, 1], 300, 1), ([1, 1], 1, 2)],
)
def test_small_ones_before_a_larger_one(sizes, added, start):
    assert smaller(sizes, added) == start


@given(st.lists(st.integers(1, 600), max_size=400))
def test_there_are_never_many_and_rows_are_rarely_written_again(added):
    sizes, written = [], 0
    for rows in added:
        for first in (smaller(sizes, rows), None):
            if first is None:
                sizes.append(rows)
                first = full(sizes)
            if first < len(sizes):
                written += sum(sizes[first:])
                sizes[first:] = [sum(sizes[first:])]
        assert len(sizes) <= 2 * FANOUT * (1 + max(map(tier, sizes)))
    assert sum(sizes) == sum(added)
    assert written <= 8 * sum(added)


def test_a_merge_keeps_order_and_keys_and_drops_what_is_dead(tmp_path, rows, vectors):
    store = Store.create(tmp_path / "m.index", width=4, dtype="float16")
    for i in range(40):
        with store.writer() as writer:
            writer.append(rows(i, 1), vectors(i, 1) / 100)
            if i % 4 == 3:
                writer.delete([f"d{i - 1}"])
    store = store.refresh()
    kept = [i for i in range(40) if i % 4 != 2]
    assert [g.documents for g in store.commit.generations] == [24, *[1] * 9]  # 16 became 12, with 15 more 24
    assert len(store) == 30
    assert store.alive.sum() == 30
    assert store.commit.stored == 33
    places = store.alive.nonzero()[:, 0]
    assert store.docs.keys[places].tolist() == kept
    assert store.rows(places.tolist()) == [rows(i, 1)[0] for i in kept]
    assert torch.equal(store.docs[places].vectors, torch.cat([vectors(i, 1) / 100 for i in kept]).half())
    assert sum(name.startswith("rows.lance/data/") for name in store.commit.files) == 10
    report = store.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()


def test_compaction_streams_in_order_over_many_fragments(tmp_path, rows, vectors, monkeypatch):
    monkeypatch.setattr("hyperir.index.pending.BUFFER", 1)
    monkeypatch.setattr("hyperir.index.table.BATCH", 3)
    store = Store.create(tmp_path / "m.index", width=4)
    with store.writer() as writer:
        for start in range(0, 50, 5):
            writer.append(rows(start, 5), vectors(start, 5))
        writer.delete([f"d{i}" for i in range(0, 50, 3)])
    kept = [i for i in range(50) if i % 3]
    before = store.refresh()
    after = before.compact(keep=2)
    assert after.rows(range(len(kept))) == [rows(i, 1)[0] for i in kept]
    assert torch.equal(after.docs[:].vectors, vectors(0, 50)[kept])
    assert after.docs.keys.tolist() == kept
    assert (after.alive, after.commit.tombstones) == (None, ())
    assert sum(name.startswith("rows.lance/data/") for name in after.commit.files) == 1
    assert [past.change for past in after.history()] == ["added 50, deleted 17", "compacted"]
    assert len(Store.open(before.path, before.number).rows(range(50))) == 50
    assert after.verify(show_progress=False).leftovers == ()
