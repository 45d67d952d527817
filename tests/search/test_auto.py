"""What "auto" means, budgets in documents and in milliseconds, and recall as it is estimated."""

import math

import pytest
import torch
from tiny_models import HYPER, make_model

from hyperir import Index
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.hyper_words import WordsFunction
from hyperir.search.auto import CHEAP, LIGHT, choose
from hyperir.search.budget import Milliseconds, Pace, parse_budget, search_pace
from hyperir.search.planning import Planner
from hyperir.search.recall import interval, recalls

N, D = 1200, 8


class Opaque:
    """A function without any capability."""

    num_queries = 2

    def __call__(self, docs):
        return docs.vectors.sum(-1).expand(2, *docs.shape[-1:]) if docs.vectors.dim() == 2 else docs.vectors.sum(-1)

    def __getitem__(self, queries):
        return self


@pytest.fixture(scope="module")
def f():
    return InnerProduct(torch.randn(3, D, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def index(tmp_path):
    index = Index.create(tmp_path / "own.index", width=D)
    vectors = torch.randn(N, D, generator=torch.Generator().manual_seed(1))
    index.add([{"id": str(i), "text": "", "n": i} for i in range(N)], vectors=vectors, show_progress=False)
    return index


@pytest.mark.parametrize(
    ("count", "budget", "differentiable", "expected"),
    [
        (LIGHT, None, True, "exact"),
        (LIGHT + 1, None, True, "firstorder"),
        (CHEAP + 1, None, False, "exact"),
        (10**6, 10**6, True, "exact"),
        (10**6, 10**6, False, "exact"),
        (10**6, 10**6 - 1, True, "firstorder"),
        (10**6, 10**6 - 1, False, "ivf"),
        (100, 99, True, "firstorder"),
        (0, None, True, "exact"),
        (0, 1, True, "exact"),
    ],
)
def test_the_rules_of_auto(f, count, budget, differentiable, expected):
    assert choose(f if differentiable else Opaque(), count, budget).type == expected


@pytest.mark.parametrize(
    ("kept", "differentiable", "budget", "expected"),
    [
        ({"firstorder", "graph"}, True, None, {"type": "firstorder", "width": 200}),
        ({"graph", "ivf"}, True, None, {"type": "graph"}),
        ({"graph", "ivf"}, False, 5000, {"type": "graph"}),
        ({"ivf"}, False, None, {"type": "ivf"}),
        ({"exact", "bipartite"}, False, None, {"type": "exact"}),
    ],
)
def test_auto_takes_what_the_index_keeps(f, kept, differentiable, budget, expected):
    chosen = choose(f if differentiable else Opaque(), 10**6, budget, kept)
    assert chosen.model_dump(exclude_unset=True) | {"type": chosen.type} == expected


def test_a_network_is_searched_approximately_sooner_than_an_inner_product():
    network = make_model(HYPER).encode_query(["fox"])
    assert [choose(network, count).type for count in (CHEAP, CHEAP + 1)] == ["exact", "firstorder"]


def test_a_structure_is_taken_sooner_than_made(f):
    assert choose(f, CHEAP, kept={"graph"}).type == "exact"
    assert choose(f, CHEAP + 1, kept={"graph"}).type == "graph"
    assert choose(f, CHEAP + 1, kept={"exact"}).type == "exact"


def test_a_bounded_function_is_searched_exhaustively_unless_the_index_keeps_a_structure():
    f = WordsFunction("min", torch.ones(1, D), torch.zeros(1, 2, 3, dtype=torch.int64), torch.ones(1, 2), None)
    assert choose(f, 10**7).type == "exact"
    assert choose(f, LIGHT, kept={"graph"}).type == "exact"
    assert choose(f, 10**7, kept={"graph"}).type == "graph"
    assert choose(f, 10**7, budget=1000).type == "firstorder"


def test_auto_searches_the_structure_on_disk(index, f, monkeypatch):
    monkeypatch.setattr("hyperir.search.auto.CHEAP", 100)
    index.build({"type": "firstorder", "centroids": 7})
    monkeypatch.setattr("hyperir.index.strategies.cells.kmeans", None)  # what building in memory would call
    index.find(f, 5)
    assert index.strategy.type == "firstorder"
    assert index.searcher(index.strategy)._strategy.config.centroids == 7


def test_a_larger_budget_asks_for_wider_answers(f):
    widths = [choose(f, 10**6, budget).width for budget in (None, 100, 10_000, 100_000)]
    assert widths[0] == widths[1] < widths[2] < widths[3]
    assert choose(f, 250_000).centroids == math.ceil(math.sqrt(250_000))


def test_auto_is_exact_where_it_can_be_and_keeps_a_budget_where_not(index, f):
    exact = index.find(f, 5)
    assert (index.strategy.type, index.scored) == ("exact", N)
    assert torch.equal(index.find(f, 5, budget=N).rows, exact.rows)
    hits = index.find(f, 5, budget=300)
    assert (index.strategy.type, hits.scored <= 300) == ("firstorder", True)
    assert (hits.rows >= 0).all()
    assert index.find(f, 5, where="n < 100", budget=100).scored == 100
    assert index.strategy.type == "exact", "the filter leaves few"
    index.find(Opaque(), 5, budget=300)
    assert (index.strategy.type, index.scored) == ("ivf", 300)


def test_budgets_of_named_strategies(index, f):
    assert index.find(f, 5, strategy={"type": "ivf", "probes": 30}, budget="1_00").scored == 100
    with pytest.raises(InputError, match=r"exact(.|\n)*1,200(.|\n)*300(.|\n)*auto"):
        index.search(f, 5, strategy="exact", budget=300)


def test_a_time_becomes_documents_by_a_measured_pace(index, f, monkeypatch):
    paces = {"exact": Pace(0.0, 1e-5), "firstorder": Pace(0.002, 2e-5)}
    timed = []

    def pace(searcher, *_):
        timed.append(type(searcher).__name__)
        return paces[searcher.config.type]

    monkeypatch.setattr("hyperir.search.planning.search_pace", pace)
    planner = Planner(index.store.docs, lambda config: STRATEGIES.build(config, docs=index.store.docs))
    config, limit = planner.plan("auto", f, 5, None, "12ms")
    assert (config.type, limit) == ("exact", 1200)
    config, limit = planner.plan("auto", f, 5, None, "8ms")
    assert (config.type, limit) == ("firstorder", 300)
    assert planner.plan("auto", f, 5, None, "0.008s")[1] == 300
    assert timed == ["Exact", "FirstOrder"], "each once"
    with pytest.raises(InputError, match=r"firstorder cannot answer a query in 1 ms(.|\n)*2 ms"):
        planner.plan("auto", f, 5, None, "1ms")


def test_a_pace_is_measured(f):
    docs = Dense(torch.randn(5000, D))
    for strategy in ("exact", "ivf", "firstorder", "graph"):
        pace = search_pace(STRATEGIES.build(strategy, docs=docs), f, 5, docs, None)
        assert 0 < pace.each < 0.01
        assert 0 <= pace.start < 10


@pytest.mark.parametrize(
    ("written", "read"),
    [(5, 5), ("5", 5), ("20,000", 20_000), ("5ms", Milliseconds(5)), (" 0.1 s", Milliseconds(100)), (None, None)],
)
def test_budgets_as_they_are_written(written, read):
    assert parse_budget(written) == read


@pytest.mark.parametrize("written", [0, -1, True, 2.5, "0", "0ms", "5 minutes", "", "ms", "-5ms"])
def test_what_is_no_budget(written):
    with pytest.raises(InputError, match="no budget"):
        parse_budget(written)


def test_recall_of_rows():
    truth = torch.tensor([[1, 2, 3], [4, 5, -1], [-1, -1, -1]])
    found = torch.tensor([[3, 9, 1], [5, -1, -1], [-1, -1, -1]])
    assert recalls(found, truth).tolist() == pytest.approx([2 / 3, 1 / 2, 1])


def test_the_interval_is_that_of_clopper_and_pearson():
    assert interval([1.0] * 64) == pytest.approx((0.025 ** (1 / 64), 1.0))
    assert interval([0.0] * 64) == pytest.approx((0.0, 1 - 0.025 ** (1 / 64)))
    assert interval([1.0] * 8 + [0.0] * 2) == pytest.approx((0.4439, 0.9748), abs=1e-4)  # tabulated
    low, high = interval([0.8] * 10)
    assert (low, high) == pytest.approx(interval([1.0] * 8 + [0.0] * 2))


def test_the_interval_holds_the_mean_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    inside = 0
    for _ in range(400):
        values = torch.bernoulli(torch.full((40, 10), 0.93), generator=generator).mean(1)
        low, high = interval(values.tolist())
        inside += low <= 0.93 <= high
    assert inside >= 0.95 * 400


def test_an_estimate_of_recall_is_that_of_the_queries_given(index, f):
    assert index.estimate_recall(f, 10).recall == 1.0
    wanted = {"type": "ivf", "cells": 30, "probes": 2}
    told = index.estimate_recall(f, 10, strategy=wanted)
    both = recalls(index.find(f, 10, strategy=wanted).rows, index.find(f, 10).rows).mean()
    assert told.recall == pytest.approx(float(both))
    assert told.low < told.recall < told.high
    assert (told.queries, told.strategy, told.scored) == (3, "ivf", index.find(f, 10, strategy=wanted).scored)
    assert "95 %" in str(told)
    with pytest.raises(InputError, match="there are none"):
        index.estimate_recall()


def test_without_queries_the_last_texts_are_taken(tmp_path):
    index = Index.create(tmp_path / "my.index", make_model(HYPER))
    index.add([{"id": str(i), "text": f"fox {i}"} for i in range(5)], show_progress=False)
    index.search(["fox", "dog"])
    index.run({"a": "lazy"})
    assert index.estimate_recall().queries == 3
