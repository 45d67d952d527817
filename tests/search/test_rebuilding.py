"""Structures that are due are built again in the background: the change does not wait, and a failure loses nothing."""

import threading

import pytest
import torch

from hyperir import Index
from hyperir.core.errors import LockedError
from hyperir.index import structures
from hyperir.index.strategies.ivf import IVF
from hyperir.relevance.dot import InnerProduct
from hyperir.search import rebuilding

N, D, K = 200, 6, 5
f = InnerProduct(torch.randn(3, D, generator=torch.Generator().manual_seed(1)))


def add(index, name, count, **options):
    vectors = torch.randn(count, D, generator=torch.Generator().manual_seed(count))
    rows = [{"id": f"{name}{i}", "text": "", "n": i} for i in range(count)]
    index.add(rows, vectors=vectors, show_progress=False, **options)


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.setattr(structures, "LEAST", 0)
    index = Index.create(tmp_path / "r.index", width=D)
    add(index, "d", N)
    index.build("ivf", show_progress=False)
    yield index
    index._rebuilder._thread and index._rebuilder._thread.join()


def covered(index):
    (structure,) = index.store.commit.structures
    return structure.documents


@pytest.fixture
def held(monkeypatch):
    """Building waits until it is let go."""
    going, build = threading.Event(), IVF.build

    def wait(*given):
        assert going.wait(30)
        return build(*given)

    monkeypatch.setattr(IVF, "build", staticmethod(wait))
    yield going
    going.set()


def test_five_percent_make_a_structure_due(index):
    add(index, "a", 10)
    assert not rebuilding.due_structures(index.store.commit)
    assert index.settle()
    assert covered(index) == N
    add(index, "b", 1)
    assert index.settle()
    assert covered(index) == N + 11
    assert index.history()[-1].change == "built ivf"
    index.delete([f"d{i}" for i in range(11)])
    assert index.settle()
    assert covered(index) == N


def test_few_documents_are_never_worth_it(index, monkeypatch):
    monkeypatch.setattr(structures, "LEAST", 50)
    add(index, "a", 50)
    assert index.settle()
    assert covered(index) == N


def test_the_change_does_not_wait_and_searches_go_on(index, held):
    before = index.find(f, K, strategy="ivf").scored
    add(index, "a", 40)
    assert index.settle(0.01) is False
    assert covered(index) == N
    assert index.find(f, K, strategy="ivf").scored == before + 40, "the old structure, and those that came later"
    add(index, "b", 10)
    index.delete(["d0"])
    held.set()
    assert index.settle()
    assert covered(index) == N + 40, "of the commit that it was begun with"
    assert len(index) == N + 49
    hits = index.search(f, k=len(index), strategy={"type": "ivf", "probes": 99})
    assert all(len(some) == N + 49 for some in hits)
    assert "d0" not in {hit.id for hit in hits[0]}
    assert index.verify(show_progress=False).ok


def test_a_failure_loses_nothing_and_is_said(index, monkeypatch):
    def fail(*given):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(IVF, "build", staticmethod(fail))
        add(index, "a", 40)
        with pytest.raises(MemoryError, match="no room"):
            index.settle()
        assert index.settle(), "said once"
        add(index, "b", 1)
        index._rebuilder._thread.join()
        assert index.info()["rebuild_failed"] == "no room"
    assert (covered(index), len(index)) == (N, N + 41)
    assert index.find(f, K, strategy="ivf").rows.min() >= 0
    report = index.verify(show_progress=False)
    assert report.ok
    assert report.leftovers == ()


def test_another_writer_is_waited_for(index, held, monkeypatch):
    add(index, "a", 40)
    monkeypatch.setattr(rebuilding, "PATIENCE", 0.0)
    with Index.open(index.store.path).store.writer():
        held.set()
        with pytest.raises(LockedError):
            index.settle()
    add(index, "b", 1)
    assert index.settle()
    assert covered(index) == N + 41


def test_what_was_dropped_or_built_meanwhile_stays_so(index, held):
    add(index, "a", 40)
    index.drop("ivf")
    held.set()
    assert index.settle()
    assert index.store.commit.structures == ()


def test_what_needs_training_queries_stays(index):
    index.drop("ivf")
    index.build("bipartite", queries=f, show_progress=False)
    add(index, "a", 40)
    assert index.info()["structures"][0]["due"]
    assert index.settle()
    assert covered(index) == N


def test_nothing_is_built_where_told_so(index):
    index.rebuilds = False
    add(index, "a", 40)
    assert index.settle()
    assert covered(index) == N
