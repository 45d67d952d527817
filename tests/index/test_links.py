"""A graph leads from its entries to every document, also where documents lie in groups far apart."""

import pytest
import torch

from hyperir.core.docs import Dense
from hyperir.index.strategies import STRATEGIES, graph
from hyperir.index.strategies.graph import Graph
from hyperir.index.strategies.knn import knn
from hyperir.index.strategies.knn_faiss import knn_faiss
from hyperir.index.strategies.links import linked, reach
from hyperir.relevance.l2 import NegativeDistance

GROUPS, SIZE, D = 12, 40, 8


@pytest.fixture(scope="module")
def docs():
    """Groups so far apart that all near neighbours of a document are of its group."""
    generator = torch.Generator().manual_seed(0)
    centres = 100 * torch.randn(GROUPS, D, generator=generator)
    return Dense(centres.repeat_interleave(SIZE, 0) + torch.randn(GROUPS * SIZE, D, generator=generator))


def slow_reach(lists, entries):
    known, waiting = set(), list(entries)
    while waiting:
        row = waiting.pop()
        if row not in known:
            known.add(row)
            waiting += [other for other in lists[row] if other >= 0]
    return known


@pytest.mark.parametrize(
    "settings", [{}, {"prune": False}, {"entries": "random", "starts": 1}, {"entries": "firstorder"}]
)
def test_every_document_can_be_reached(docs, settings):
    config = STRATEGIES.parse({"type": "graph", "degree": 6, "starts": 3, **settings})
    built = Graph.build(config, docs)
    neighbours = built["neighbours"]
    assert neighbours.shape[1] in (6, 7)
    if "entries" in built:
        assert slow_reach(neighbours.tolist(), built["entries"].tolist()) == set(range(len(neighbours)))
    valid = neighbours[neighbours >= 0]
    assert int(valid.max()) < len(neighbours)


def test_without_links_it_cannot(docs):
    assert len(slow_reach(knn(docs, 6).tolist(), [0])) <= SIZE


def test_reach_is_the_slow_definition(docs):
    lists = knn(docs, 2)
    known = torch.zeros(len(lists), dtype=torch.bool)
    reach(lists, torch.tensor([3, 200]), known)
    assert set(known.nonzero().flatten().tolist()) == slow_reach(lists.tolist(), [3, 200])


def test_full_lists_get_one_link_more_and_edges_stay(docs):
    lists = knn(docs, 6)
    entries = torch.tensor([0])
    found = linked(docs, lists, entries)
    assert torch.equal(found[:, :6], lists)
    assert found.shape[1] == 7
    assert GROUPS - 1 <= (found[:, 6] >= 0).sum() < GROUPS * SIZE / 4
    assert slow_reach(found.tolist(), [0]) == set(range(len(lists)))


def test_where_no_near_list_has_room_one_part_leads_to_the_next():
    docs = Dense(torch.arange(50.0)[:, None])
    lists = torch.full((50, 1), -1, dtype=torch.int32)
    lists[:, 0] = torch.arange(50)  # everybody is only their own neighbour, and full
    found = linked(docs, lists, torch.tensor([7]))
    assert slow_reach(found.tolist(), [7]) == set(range(50))


def test_a_graph_that_hangs_together_is_left_alone(docs):
    lists = torch.stack([torch.arange(1, 481) % 480, torch.arange(480) - 1], 1).int()
    assert linked(docs, lists, torch.tensor([5])) is lists


def test_a_walk_finds_what_lies_in_another_group(docs):
    f = NegativeDistance(docs.vectors[[70, 300, 479]])
    walk = STRATEGIES.build({"type": "graph", "degree": 6, "entries": "random", "starts": 1, "ef": 480}, docs=docs)
    assert walk.search(f, 1).rows[:, 0].tolist() == [70, 300, 479]


def test_faiss_finds_nearly_the_same_neighbours(docs, monkeypatch):
    pytest.importorskip("faiss")
    exact, approximate = knn(docs, 6), knn_faiss(docs, 6)
    both = [len(set(a) & set(b)) for a, b in zip(exact.tolist(), approximate.tolist(), strict=True)]
    assert sum(both) > 0.95 * exact.numel()
    assert not (approximate == torch.arange(len(exact))[:, None]).any()
    called = []
    monkeypatch.setattr(graph, "knn_faiss", lambda *given: called.append(1) or knn_faiss(*given))
    for builder, limit, expected in (("faiss", 10**9, 1), ("auto", 10**9, 1), ("auto", 100, 2), ("exact", 100, 2)):
        monkeypatch.setattr(graph, "EXACT", limit)
        Graph.build(STRATEGIES.parse({"type": "graph", "degree": 6, "builder": builder}), docs)
        assert len(called) == expected
