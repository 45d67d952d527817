"""The graph of documents and training queries: against plain loops, and recall for queries like those of training."""

import pytest
import torch
from slow_graphs import N, Q, grouped_docs, numbers, recall, slow_walk, written

from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.bipartite import Bipartite
from hyperir.relevance.dot import InnerProduct

TRAINING = 60


def slow_build(scores, top, degree):
    """Lists of documents by query, and of queries by document."""
    documents = [sorted(range(len(own)), key=lambda d: (-own[d], d))[:top] for own in scores]
    queries = []
    for d in range(len(scores[0])):
        wanted = sorted((own.index(d), q) for q, own in enumerate(documents) if d in own)
        queries.append([q for _, q in wanted[:degree]])
    return documents, queries


@pytest.mark.parametrize(("top", "degree"), [(12, 3), (40, 1), (5, 30)])
def test_it_is_built_and_walked_as_defined(top, degree):
    n = 300
    training, f = written(TRAINING, n, seed=1), written(Q, n, seed=2)
    config = STRATEGIES.parse({"type": "bipartite", "top": top, "degree": degree, "starts": 7, "ef": 15, "beam": 2})
    built = Bipartite.build(config, numbers(n), training)
    documents, queries = slow_build(training.scores.tolist(), top, degree)
    assert built["documents"].tolist() == documents
    assert [[q for q in own if q >= 0] for own in built["queries"].tolist()] == queries
    entries = built["entries"].tolist()
    assert len(entries) == 7
    assert all(queries[d] for d in entries), "a walk starts where it can go on"

    hits = Bipartite(config, docs=numbers(n), built=built).search(f, 10)
    slow = [
        slow_walk(own, lambda d: [y for q in queries[d] for y in documents[q]], entries, 10, ef=15, beam=2)
        for own in f.scores.tolist()
    ]
    assert hits.rows.tolist() == [answers for answers, _ in slow]
    assert hits.scored == max(scored for _, scored in slow)


@pytest.fixture(scope="module")
def world():
    """Documents, and training and test queries about the same subjects."""
    docs = grouped_docs()
    generator = torch.Generator().manual_seed(7)
    near = docs.vectors[torch.randint(N, (800 + Q,), generator=generator)]
    queries = near + 0.1 * torch.randn(near.shape, generator=generator)
    return docs, InnerProduct(queries[:800]), InnerProduct(queries[800:])


def test_it_finds_most_for_queries_like_those_of_training(world):
    docs, training, f = world
    config = {"type": "bipartite", "starts": 64}
    hits = STRATEGIES.build(config, docs=docs, functions=training).search(f, 10)
    few = STRATEGIES.build(config, docs=docs, functions=training[:50]).search(f, 10)
    assert recall(hits, f, docs) > 0.9
    assert recall(hits, f, docs) > recall(few, f, docs)
    assert hits.scored < N / 2
    torch.testing.assert_close(hits.scores, f(docs).gather(1, hits.rows))


def test_queries_in_a_batch_are_answered_as_alone(world):
    docs, training, f = world
    searcher = STRATEGIES.build({"type": "bipartite", "ef": 16}, docs=docs, functions=training)
    alone = torch.cat([searcher.search(f[q : q + 1], 10).rows for q in range(Q)])
    assert torch.equal(searcher.search(f, 10).rows, alone)


def test_filters_hold(world):
    docs, training, f = world
    searcher = STRATEGIES.build({"type": "bipartite", "ef": 16, "top": 8}, docs=docs, functions=training)
    allowed = torch.rand(N, generator=torch.Generator().manual_seed(0)) < 0.4
    hits = searcher.search(f, 10, allowed)
    assert allowed[hits.rows].all()
    truth = f(docs).masked_fill(~allowed, -torch.inf).topk(10, dim=1).indices
    both = [len(set(a) & set(b)) for a, b in zip(hits.rows.tolist(), truth.tolist(), strict=True)]
    assert sum(both) / truth.numel() > 0.6


@pytest.mark.parametrize("n", [0, 1])
def test_few_documents(n):
    f = InnerProduct(torch.randn(Q, 4))
    hits = STRATEGIES.build("bipartite", docs=Dense(torch.ones(n, 4)), functions=f).search(f, 3)
    assert hits.rows.tolist() == [[0, -1, -1] if n else [-1, -1, -1]] * Q


def test_without_training_queries_it_says_what_it_needs():
    for functions in (None, InnerProduct(torch.ones(0, 4))):
        with pytest.raises(InputError, match=r"bipartite(.|\n)*training queries(.|\n)*functions="):
            STRATEGIES.build("bipartite", docs=Dense(torch.eye(4)), functions=functions)


@pytest.mark.parametrize("name", ["top", "degree", "ef", "beam", "starts", "rounds"])
def test_impossible_settings_are_refused(name):
    f = InnerProduct(torch.ones(1, 4))
    with pytest.raises(InputError, match=name):
        STRATEGIES.build({"type": "bipartite", name: 0}, docs=Dense(torch.eye(4)), functions=f)
