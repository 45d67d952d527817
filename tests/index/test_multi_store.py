"""Documents of several vectors on disk: what is stored comes back, through every change, and damage is noticed."""

import pickle

import numpy as np
import pytest
import torch

from hyperir.core.docs import Multi
from hyperir.core.errors import CapabilityError, CorruptError, InputError, VectorError
from hyperir.index.building import make
from hyperir.index.packed import packed_files
from hyperir.index.repair import repair
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.tokens import TokenFunction

D = 4


def rows(start, count):
    return [{"id": f"d{i}", "text": f"text {i}", "year": 2000 + i} for i in range(start, start + count)]


def multi(start, count):
    """Document i has i % 5 + 1 vectors, all of them drawn for it alone."""
    documents = []
    for i in range(start, start + count):
        documents.append(torch.randn(i % 5 + 1, D, generator=torch.Generator().manual_seed(i)))
    return Multi.of_list(documents)


def numbers(docs):
    """Which documents of `multi` these are."""
    known = {tuple(multi(i, 1).vectors.half().flatten().tolist()): i for i in range(400)}
    parts = [docs.vectors[a:b] for a, b in zip(docs.indptr, docs.indptr[1:], strict=False)]
    return [known[tuple(part.half().flatten().tolist())] for part in parts]


def function():
    torch.manual_seed(0)
    return TokenFunction(InnerProduct(torch.randn(6, D)), torch.tensor([0, 2, 6]))


@pytest.fixture
def store(tmp_path):
    made = Store.create(tmp_path / "multi.index", width=D, kind="multi")
    with made.writer() as writer:
        writer.append(rows(0, 7), multi(0, 7))
    with made.writer() as writer:
        writer.append(rows(7, 5), multi(7, 5))
    return made.refresh()


def test_documents_come_back_over_several_files(store):
    assert len(store.commit.generations) == 2
    assert (store.docs.shape, store.kind, store.info()["vectors"]) == ((12,), "multi", len(multi(0, 12).vectors))
    assert numbers(store.docs[:]) == list(range(12))
    assert numbers(store.docs[5:9]) == [5, 6, 7, 8]
    assert numbers(store.docs[8:3]) == []
    assert numbers(store.docs[torch.tensor([11, 0, -1, 7])]) == [11, 0, 11, 7]
    assert store.docs[torch.tensor([[3, 8], [8, 3]])].shape == (2, 2)
    assert numbers(pickle.loads(pickle.dumps(store.docs))[2:4]) == [2, 3]
    with pytest.raises(IndexError, match="row 12 of 12"):
        store.docs[torch.tensor([12])]
    assert store.verify(show_progress=False).ok


def test_exact_search_on_disk_is_that_in_memory(store):
    found = STRATEGIES.build({"type": "exact", "block": 3}, docs=store.docs).search(function(), 5)
    expected = STRATEGIES.build("exact", docs=multi(0, 12)).search(function(), 5)
    assert torch.equal(found.rows, expected.rows)
    torch.testing.assert_close(found.scores, expected.scores)


def test_changes_and_compaction_keep_what_is_alive(store):
    with store.writer() as writer:
        writer.delete(["d1", "d8"])
        writer.replace(rows(3, 1), multi(33, 1))
    changed = store.refresh()
    alive = changed.alive.nonzero()[:, 0]
    expected = [0, 2, 4, 5, 6, 7, 9, 10, 11, 33]
    assert numbers(changed.docs[alive]) == expected
    compacted = changed.compact()
    assert compacted.alive is None
    assert numbers(compacted.docs[:]) == expected
    assert compacted.verify(show_progress=False).ok


def test_many_small_adds_are_merged(tmp_path):
    store = Store.create(tmp_path / "small.index", width=D, kind="multi", dtype="float16")
    for i in range(20):
        with store.writer() as writer:
            writer.append(rows(i, 1), multi(i, 1))
    store = store.refresh()
    assert len(store.commit.generations) < 10
    assert numbers(store.docs[:]) == list(range(20))
    assert store.docs[:].vectors.dtype == torch.float16
    assert store.verify(show_progress=False).ok


@pytest.mark.parametrize(
    ("docs", "error", "message"),
    [
        (torch.zeros(2, D), VectorError, "several vectors"),
        (Multi(torch.tensor([0, 1, 1]), torch.zeros(1, D)), VectorError, "'d1' has no vector"),
        (Multi(torch.tensor([0, 1, 2]), torch.zeros(2, D + 1)), VectorError, "another shape"),
        (
            Multi(torch.tensor([0, 2, 3]), torch.tensor([[0.0] * D] * 2 + [[np.nan] * D])),
            VectorError,
            "'d1' is not finite",
        ),
        (Multi(torch.tensor([0, 1]), torch.zeros(1, D)), InputError, "2 and 1"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_written(tmp_path, docs, error, message):
    store = Store.create(tmp_path / "new.index", width=D, kind="multi")
    with pytest.raises(error, match=message), store.writer() as writer:
        writer.append(rows(0, 2), docs)
    assert store.refresh().number == 1


def test_a_strategy_for_single_vectors_is_refused_by_name(store):
    with pytest.raises(CapabilityError, match=r"'ivf'(.|\n)*'exact'"):
        make(store.place, store.commit, STRATEGIES.parse("ivf"))


def test_lost_vectors_are_made_again_from_the_rows(store):
    [first, _] = packed_files(store.place, store.commit)
    place = store.path / first.name
    whole = place.read_bytes()
    place.write_bytes(whole[:-3])
    with pytest.raises(CorruptError):
        Store.open(store.path)
    repair(store.path, apply=True, show_progress=False)
    assert place.read_bytes() == whole
    assert numbers(Store.open(store.path).docs[:]) == list(range(12))


def test_documents_whose_vectors_do_not_follow_each_other_are_damage(store):
    [first, _] = packed_files(store.place, store.commit)
    place = store.path / first.name
    raw = bytearray(place.read_bytes())
    raw[-16 * 7 : -16 * 7 + 8] = (99).to_bytes(8, "little")
    place.write_bytes(raw)
    with pytest.raises(CorruptError, match="do not follow each other"):
        Store.open(store.path).docs[:3]
    assert not store.verify(show_progress=False).ok
