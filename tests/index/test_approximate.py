"""Approximate strategies: what is exact about them is tested exactly, the rest against brute force on made data."""

import pytest
import torch
from torch.nn import functional

from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, InputError
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.cells import assign, kmeans
from hyperir.index.strategies.visits import Ranked, Visits
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.qnets import QNETS

N, D, Q = 3000, 24, 7


@pytest.fixture(scope="module")
def docs():
    """Documents in 30 groups, as texts about 30 subjects would be."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(30, D, generator=generator)
    noise = 0.6 * torch.randn(N, D, generator=generator)
    return Dense(functional.normalize(centres.repeat_interleave(N // 30, 0) + noise, dim=-1))


@pytest.fixture(scope="module")
def qnets():
    """Q q-nets of random weights, without a linear part."""
    generator = torch.Generator().manual_seed(1)
    net = QNETS.build({"type": "mlp", "hidden": (64, 64)}, width=D)
    slots = net.slots().items()
    written = {n: torch.randn(Q, *s.shape, generator=generator) / s.shape[-1] ** 0.5 for n, s in slots}
    with torch.no_grad():
        return net.function(written, None)


def recall(hits, f, docs, k=10):
    truth = f(docs).topk(k, dim=1).indices
    both = [len(set(a) & set(b)) for a, b in zip(hits.rows[:, :k].tolist(), truth.tolist(), strict=True)]
    return sum(both) / truth.numel()


def test_kmeans_finds_the_groups(docs):
    centroids = kmeans(docs, 60)
    cells = assign(docs, centroids)
    distances = torch.cdist(docs.vectors, centroids)
    assert torch.equal(cells, distances.argmin(1))
    spread = distances.min(1).values.square().mean()
    assert spread < 0.6 * docs.vectors.var(0).sum()
    assert torch.equal(centroids, kmeans(docs, 60)), "the same seed, the same cells"


@pytest.mark.parametrize("n", [0, 1, 5])
def test_kmeans_of_few_documents(docs, n):
    assert kmeans(docs[torch.arange(n)], 60).shape == (n, D)


def test_ivf_that_searches_every_cell_is_exact(docs, qnets):
    ivf = STRATEGIES.build({"type": "ivf", "cells": 40, "probes": 40}, docs=docs)
    exact = STRATEGIES.build("exact", docs=docs).search(qnets, 50)
    hits = ivf.search(qnets, 50)
    assert torch.equal(hits.rows, exact.rows)
    torch.testing.assert_close(hits.scores, exact.scores)
    assert hits.scored == N + 40


def test_ivf_searches_the_cells_that_the_function_ranks_first(docs, qnets):
    ivf = STRATEGIES.build({"type": "ivf", "cells": 40, "probes": 3}, docs=docs)
    centroids = ivf._centroids
    cells = assign(docs, centroids.vectors)
    best = qnets(centroids).topk(3, dim=1).indices
    allowed = (cells[None, :, None] == best[:, None, :]).any(2)
    scores = qnets(docs).masked_fill(~allowed, -torch.inf).sort(dim=1, descending=True, stable=True)
    hits = ivf.search(qnets, 20)
    assert torch.equal(hits.rows, scores.indices[:, :20])
    assert hits.scored == int(allowed.sum(1).max()) + 40


def test_first_order_search_is_exact_for_linear_functions(docs):
    f = InnerProduct(torch.randn(Q, D))
    first = STRATEGIES.build({"type": "firstorder", "rounds": 1, "anchors": 1, "width": 20}, docs=docs)
    hits = first.search(f, 20)
    assert torch.equal(hits.rows, f(docs).sort(dim=1, descending=True, stable=True).indices[:, :20])
    assert hits.scored == 20 + 512 + 1, "documents, centroids and a gradient"


def test_first_order_search_finds_most_of_the_best_under_a_network(docs, qnets):
    settings = {"type": "firstorder", "centroids": 64, "anchors": 3, "width": 40}
    one, four = (STRATEGIES.build({**settings, "rounds": rounds}, docs=docs).search(qnets, 10) for rounds in (1, 4))
    assert recall(four, qnets, docs) >= 0.8
    assert recall(four, qnets, docs) > recall(one, qnets, docs)
    assert one.scored < four.scored < N / 5
    torch.testing.assert_close(four.scores, qnets(docs).gather(1, four.rows))


def test_near_candidates_are_better_ones(docs, qnets):
    settings = {"type": "firstorder", "centroids": 64, "anchors": 3, "width": 40}
    far, near = (
        STRATEGIES.build({**settings, "locality": locality}, docs=docs).search(qnets, 10) for locality in (0.0, 0.5)
    )
    assert recall(near, qnets, docs) > recall(far, qnets, docs) + 0.2
    assert near.scored <= far.scored


def test_first_order_search_refuses_what_has_no_gradient(docs):
    class Opaque:
        num_queries = 1

        def __call__(self, docs):
            return docs.vectors.sum(-1)[None]

    with pytest.raises(CapabilityError, match=r"firstorder(.|\n)*Differentiable(.|\n)*Opaque"):
        STRATEGIES.build("firstorder", docs=docs).search(Opaque(), 3)


@pytest.mark.parametrize("strategy", [{"type": "ivf", "probes": 3}, {"type": "firstorder", "width": 30}])
def test_queries_in_a_batch_are_answered_as_alone(docs, qnets, strategy):
    searcher = STRATEGIES.build(strategy, docs=docs)
    alone = torch.cat([searcher.search(qnets[q : q + 1], 10).rows for q in range(Q)])
    assert torch.equal(searcher.search(qnets, 10).rows, alone)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"type": "ivf", "probes": 0}, "probes"),
        ({"type": "ivf", "cells": -1}, "cells"),
        ({"type": "firstorder", "anchors": 0}, "anchors"),
        ({"type": "firstorder", "engine": "faisss"}, "engines"),
    ],
)
def test_impossible_settings_are_refused(docs, strategy, message):
    with pytest.raises(InputError, match=message):
        STRATEGIES.build(strategy, docs=docs)


def test_what_was_built_is_used_again(docs, qnets):
    for name in ("ivf", "firstorder"):
        member = STRATEGIES[name]
        config = STRATEGIES.parse(name)
        built = member.build(config, docs)
        again = member(config, docs=docs, built=built).search(qnets, 10)
        assert torch.equal(again.rows, STRATEGIES.build(name, docs=docs).search(qnets, 10).rows)


def test_each_document_is_scored_once(docs, qnets):
    visits, best = Visits(qnets, docs), Ranked(Q, 6)
    for offered, scored in (([5, 3, 3, -1, 9], 3), ([9, 5, -1], 3)):
        rows = visits.fresh(torch.tensor([offered]).expand(Q, -1))
        best.offer(rows, visits.score(rows))
        assert visits.scored.tolist() == [scored] * Q
    hits = best.hits(6, visits.scored)
    assert torch.equal(hits.rows[:, :3].sort(1).values, torch.tensor([[3, 5, 9]]).expand(Q, -1))
    assert (hits.rows[:, 3:] == -1).all()


def test_what_may_not_come_back_is_not_scored_where_visits_are_told(docs, qnets):
    allowed = torch.ones(N, dtype=torch.bool)
    allowed[3] = False
    rows = Visits(qnets, docs, allowed).fresh(torch.tensor([[5, 3, 9]]).expand(Q, -1))
    assert torch.equal(rows, torch.tensor([[5, 9]]).expand(Q, -1))


def test_a_budget_pays_for_what_was_proposed_first(docs, qnets):
    visits = Visits(qnets, docs, budget=2)
    rows = visits.fresh(torch.tensor([[9, 3, 5]]).expand(Q, -1))
    assert torch.equal(rows, torch.tensor([[3, 9]]).expand(Q, -1))
    visits.score(rows)
    assert not visits.solvent().any()
    assert visits.fresh(torch.tensor([[5]]).expand(Q, -1)).shape == (Q, 0)


@pytest.mark.parametrize(
    "strategy",
    [{"type": "ivf", "cells": 60, "probes": 60}, {"type": "firstorder", "centroids": 64}, {"type": "graph", "ef": 500}],
    ids=lambda strategy: strategy["type"],
)
def test_a_larger_budget_finds_more(docs, qnets, strategy):
    searcher = STRATEGIES.build(strategy, docs=docs)
    found = [searcher.search(qnets, 10, budget=budget) for budget in (100, 300, 1200)]
    assert [hits.scored <= budget for hits, budget in zip(found, (100, 300, 1200), strict=True)] == [True] * 3
    small, _, large = (recall(hits, qnets, docs) for hits in found)
    assert large > small + 0.1
    assert large > 0.8
