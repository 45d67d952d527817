"""Neighbour lists and their pruning, against plain loops over whole numbers, where nothing is rounded."""

import pytest
import torch
from slow_graphs import grouped_docs

from hyperir.core.docs import Dense
from hyperir.index.strategies import knn as module
from hyperir.index.strategies import prune as pruning
from hyperir.index.strategies.knn import knn, knn_bytes
from hyperir.index.strategies.prune import prune


def whole(n, width=3, values=4, seed=0):
    """Few different vectors, so that many distances tie and some documents are equal."""
    return torch.randint(values, (n, width), generator=torch.Generator().manual_seed(seed))


def apart(x, y):
    return int((x - y).square().sum())


def slow_knn(vectors, degree):
    lists = []
    for i, x in enumerate(vectors):
        others = [j for j in range(len(vectors)) if j != i]
        lists.append(sorted(others, key=lambda j: (apart(x, vectors[j]), j))[:degree])
    return lists


def slow_prune(vectors, lists, degree):
    kept = []
    for x, candidates in enumerate(lists):
        own = []
        for y in candidates:
            length = apart(vectors[x], vectors[y])
            near = [
                z
                for z in own
                if apart(vectors[y], vectors[z]) <= length and (apart(vectors[x], vectors[z]) or not length)
            ]
            if not near and len(own) < degree:
                own.append(y)
        kept.append(own)
    full = [list(own) for own in kept]
    for y in range(len(lists)):
        sources = [x for x, own in enumerate(kept) if y in own and x not in kept[y]]
        full[y] += sorted(sources, key=lambda x: (apart(vectors[x], vectors[y]), x))
    return [own[:degree] for own in full]


def padded(lists, degree):
    return torch.tensor([own + [-1] * (degree - len(own)) for own in lists], dtype=torch.int32)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 16)
    monkeypatch.setattr(module, "COLUMNS", 24)
    monkeypatch.setattr(pruning, "NUMBERS", 1 << 9)
    monkeypatch.setattr(pruning, "EDGES", 1 << 6)


@pytest.mark.parametrize("n", [2, 7, 90])
def test_neighbours_are_the_nearest_others_and_ties_break_by_row(n, small_blocks):
    vectors = whole(n)
    assert torch.equal(knn(Dense(vectors.float()), 10), padded(slow_knn(vectors, 10), 10))


def test_blocks_do_not_change_neighbours(monkeypatch):
    docs = grouped_docs()
    one = knn(docs, 12)
    monkeypatch.setattr(module, "ROWS", 300)
    monkeypatch.setattr(module, "COLUMNS", 700)
    assert (knn(docs, 12) == one).float().mean() > 0.999  # the last bit may differ
    distances = torch.cdist(docs.vectors, docs.vectors).fill_diagonal_(torch.inf)
    assert (one == distances.topk(12, largest=False).indices).float().mean() > 0.999


@pytest.mark.parametrize("degree", [3, 8])
@pytest.mark.parametrize("values", [2, 4, 30])
def test_pruning_keeps_what_is_nearer_than_any_kept_neighbour(degree, values, small_blocks):
    vectors = whole(70, values=values)
    lists = slow_knn(vectors, 16)
    pruned = prune(Dense(vectors.float()), padded(lists, 16), degree)
    assert torch.equal(pruned, padded(slow_prune(vectors, lists, degree), degree))


def test_pruned_edges_are_few_and_lead_both_ways():
    docs = grouped_docs()
    lists = knn(docs, 48)
    pruned = prune(docs, lists, 24)
    degrees = (pruned >= 0).sum(1)
    assert degrees.float().mean() < 20
    assert degrees.min() > 0
    edges = {(x, y) for x, own in enumerate(pruned.tolist()) for y in own if y >= 0}
    both = sum((y, x) in edges for x, y in edges) / len(edges)
    assert both > 0.95
    assert all(x != y for x, y in edges)


@pytest.mark.parametrize("n", [0, 1])
def test_few_documents_have_no_neighbours(n):
    docs = Dense(torch.ones(n, 4))
    lists = knn(docs, 5)
    assert lists.dtype == torch.int32
    assert torch.equal(lists, torch.full((n, 5), -1, dtype=torch.int32))
    assert torch.equal(prune(docs, lists, 3), lists[:, :3])


def test_memory_is_stated_and_does_not_grow_with_the_square():
    assert knn_bytes(1_000_000, 384, 32) - knn_bytes(500_000, 384, 32) == 4 * 500_000 * 32
