"""Graph search: exactly the slow definition on written scores, and recall on made data."""

import pytest
import torch
from slow_graphs import N, Q, grouped_docs, numbers, random_lists, random_qnets, recall, slow_fixed_rounds, slow_walk
from slow_graphs import written as written_scores

from hyperir import testing
from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, ConfigError, InputError, VectorError
from hyperir.index.strategies import STRATEGIES, visits
from hyperir.index.strategies.graph import Graph, random_rows
from hyperir.index.strategies.guitar import GuitarConfig, promising
from hyperir.index.strategies.visits import Visits
from hyperir.relevance.dot import InnerProduct

VARIANTS = [
    {},
    {"entries": "random", "prune": False, "beam": 1},
    {"entries": "firstorder"},
    {"guitar": True},
    {"guitar": {"top": 4}, "entries": "random"},
    {"preset": "hypencoder"},
    {"preset": {"follow": "code", "early_stop": False}},
]


@pytest.fixture(scope="module")
def docs():
    return grouped_docs()


@pytest.fixture(scope="module")
def qnets():
    return random_qnets(32)


@pytest.fixture(scope="module")
def built(docs):
    """A graph with medoids, for tests that change only how it is walked."""
    return Graph.build(STRATEGIES.parse({"type": "graph", "starts": 64}), docs)


def walked(docs, built, f, allowed=None, **settings):
    config = STRATEGIES.parse({"type": "graph", "starts": 64, **settings})
    return Graph(config, docs=docs, built=built).search(f, 10, allowed)


def made(n=400, degree=6, starts=9, **settings):
    """A graph over numbers, and its parts."""
    lists, entries = random_lists(n, degree), random_rows(n, starts, 5)
    config = STRATEGIES.parse({"type": "graph", **settings})
    return Graph(config, docs=numbers(n), built={"neighbours": lists, "entries": entries}), lists.tolist(), entries


def rows_of(answers, k):
    return torch.tensor([own + [-1] * (k - len(own)) for own in answers])


@pytest.mark.parametrize("rounds", [None, 1, 4])
@pytest.mark.parametrize(("ef", "beam", "k"), [(1, 1, 1), (20, 1, 10), (20, 4, 10), (5, 40, 12), (1000, 7, 30)])
def test_the_walk_is_the_one_defined(ef, beam, k, rounds):
    graph, lists, entries = made(ef=ef, beam=beam, rounds=rounds, degree=6)
    f = written_scores(Q, 400)
    hits = graph.search(f, k)
    slow = [
        slow_walk(own, lambda x: lists[x], entries.tolist(), k, ef=ef, beam=beam, rounds=rounds)
        for own in f.scores.tolist()
    ]
    assert torch.equal(hits.rows, rows_of([answers for answers, _ in slow], k))
    assert torch.equal(hits.scores, f.scores.gather(1, hits.rows))
    assert hits.scored == max(scored for _, scored in slow)


@pytest.mark.parametrize("share", [0.06, 0.3, 0.9])
def test_a_walk_leads_through_what_is_not_allowed(share):
    graph, lists, entries = made(ef=2, beam=3, degree=6)  # up to 12 allowed rows would all be scored
    f, allowed = written_scores(Q, 400), torch.rand(400, generator=torch.Generator().manual_seed(3)) < share
    assert allowed.sum() > 12
    hits = graph.search(f, 4, allowed)
    slow = [
        slow_walk(own, lambda x: lists[x], entries.tolist(), 4, ef=4, beam=3, allowed=allowed.tolist())
        for own in f.scores.tolist()
    ]
    assert torch.equal(hits.rows, rows_of([answers for answers, _ in slow], 4))
    assert hits.scored == max(scored for _, scored in slow)
    assert allowed[hits.rows[hits.rows >= 0]].all()


def test_where_few_are_allowed_all_of_them_are_scored(docs, qnets):
    graph = STRATEGIES.build({"type": "graph", "degree": 8, "ef": 10, "starts": 16}, docs=docs)
    allowed = torch.zeros(N, dtype=torch.bool)
    allowed[::25] = True
    exact = STRATEGIES.build("exact", docs=docs).search(qnets, 10, allowed)
    hits = graph.search(qnets, 10, allowed)
    assert torch.equal(hits.rows, exact.rows)
    assert hits.scored == N / 25


def test_what_is_scored_is_what_is_counted():
    graph, _, _ = made(ef=20, beam=2)
    f = written_scores(1, 400)
    assert graph.search(f, 5).scored == sum(f.calls)


def test_queries_that_are_done_cost_little():
    graph, _, _ = made(n=4000, starts=4, ef=300, beam=4)
    f = written_scores(16, 4000)
    f.scores[1:] = -torch.arange(4000.0)  # these end where they start, or soon after
    f.scores[1:, random_rows(4000, 4, 5)] = 1.0
    alone = [graph.search(f[q : q + 1], 1).scored for q in range(16)]
    f.calls.clear()
    graph.search(f, 1)
    assert sum(f.calls) < 2.5 * sum(alone)


def test_queries_in_blocks_are_answered_as_together(monkeypatch):
    graph, _, _ = made(ef=20)
    f = written_scores(Q, 400)
    together = graph.search(f, 5)
    monkeypatch.setattr(visits, "MARKS", 3 * 400)
    blocks = graph.search(f, 5)
    assert torch.equal(blocks.rows, together.rows)
    assert blocks.scored == together.scored
    monkeypatch.setattr(visits, "HELD", 10)
    assert torch.equal(graph.search(f, 5).rows, together.rows)


@pytest.mark.parametrize("follow", ["paper", "code"])
@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize(
    ("k", "starts", "candidates", "iterations"), [(10, 30, 5, 6), (3, 100, 8, 20), (40, 10, 4, 4), (10, 400, 7, 3)]
)
def test_the_preset_is_the_papers_algorithm(follow, early_stop, k, starts, candidates, iterations):
    own = {"starts": starts, "candidates": candidates, "iterations": iterations}
    own |= {"early_stop": early_stop, "follow": follow}
    graph, lists, entries = made(starts=starts, preset=own)
    f = written_scores(Q, 400, values=5000)
    hits = graph.search(f, k)
    slow = [
        slow_fixed_rounds(
            scores,
            lists,
            entries.tolist(),
            k,
            candidates=candidates,
            iterations=iterations,
            early_stop=early_stop,
            paper=follow == "paper",
        )
        for scores in f.scores.tolist()
    ]
    assert torch.equal(hits.rows, rows_of([answers for answers, _ in slow], k))
    assert hits.scored == max(scored for _, scored in slow)


def test_the_preset_stops_early_at_little_loss(docs, qnets):
    own = {"starts": 200, "candidates": 16, "iterations": 12, "degree": 20}
    stopped, whole = (
        STRATEGIES.build({"type": "graph", "preset": {**own, "early_stop": stop}}, docs=docs).search(qnets, 10)
        for stop in (True, False)
    )
    assert stopped.scored < whole.scored
    assert recall(whole, qnets, docs) >= recall(stopped, qnets, docs) > 0.8


def slow_promising(vectors, gradient, x, neighbours, seen, config):
    """GUITAR's rule for one document, by angles in double precision."""
    new = [y for y in neighbours if y >= 0 and y not in seen]
    step = {y: vectors[y] - vectors[x] for y in new}
    if config.top:
        return set(sorted(new, key=lambda y: -float(step[y] @ gradient))[: config.top])
    angle = {
        y: float(torch.acos((step[y] @ gradient / step[y].norm() / gradient.norm()).clamp(-1, 1)))
        for y in new
        if step[y].norm() > 0 and gradient.norm() > 0
    }
    return {y for y in new if y not in angle or angle[y] <= config.factor * min(angle.values())}


@pytest.mark.parametrize("config", [GuitarConfig(), GuitarConfig(factor=1.5), GuitarConfig(top=3)], ids=str)
def test_guitar_keeps_the_neighbours_the_gradient_points_at(docs, qnets, config):
    generator = torch.Generator().manual_seed(4)
    qnets = qnets[:Q]
    rows = torch.randint(N, (Q, 3), generator=generator)
    rows[2, 1] = -1
    neighbours = torch.randint(N, (Q, 3, 9), generator=generator)
    neighbours[0, :, 5:] = -1
    neighbours[rows < 0] = -1
    neighbours[1, 0, 0] = rows[1, 0]  # no way at all, so no angle
    seen = neighbours[:, :, 1]
    visited = Visits(qnets, docs)
    visited.mark(seen)
    kept = promising(visited, rows, neighbours, config)
    gradients = qnets.gradient(docs[rows.clamp_min(0)]).double()
    vectors = docs.vectors.double()
    for q in range(Q):
        for b in range(3):
            hidden = set(seen[q].tolist())
            slow = slow_promising(vectors, gradients[q, b], rows[q, b], neighbours[q, b].tolist(), hidden, config)
            assert {y for y in kept[q, b].tolist() if y >= 0} == slow
    assert visited.scored.tolist() == (rows >= 0).sum(1).tolist(), "a gradient counts as a scored document"


def test_guitar_keeps_all_where_the_gradient_is_zero(docs):
    visited = Visits(InnerProduct(torch.zeros(1, 24)), docs)
    neighbours = torch.tensor([[[4, 5, 6]]])
    assert torch.equal(promising(visited, torch.tensor([[3]]), neighbours, GuitarConfig()), neighbours)


def test_guitar_finds_more_with_as_many_scores(docs, qnets, built):
    plain, guided = walked(docs, built, qnets, ef=32), walked(docs, built, qnets, ef=64, guitar=True)
    assert recall(guided, qnets, docs) > recall(plain, qnets, docs)
    assert guided.scored < 1.1 * plain.scored


def test_entries_are_found_as_they_are_named(docs, qnets):
    settings = {"type": "graph", "starts": 20}
    random, medoids, first = (
        Graph.build(STRATEGIES.parse({**settings, "entries": entries}), docs)
        for entries in ("random", "medoids", "firstorder")
    )
    assert torch.equal(random["entries"], random_rows(N, 20, 0))
    subjects = medoids["entries"] % 30
    assert len(subjects.unique()) > len((random["entries"] % 30).unique()), "medoids stand for more subjects"
    assert set(first) == {"neighbours", "centroids"}


def test_more_ef_finds_more(docs, qnets, built):
    found = []
    for ef in (8, 32, 128):
        hits = walked(docs, built, qnets, ef=ef)
        torch.testing.assert_close(hits.scores, qnets(docs).gather(1, hits.rows))
        found.append((recall(hits, qnets, docs), hits.scored))
    assert found == sorted(found)
    assert found[-1][0] > 0.88
    assert found[-1][1] < N / 3


@pytest.mark.parametrize("entries", ["random", "firstorder"])
def test_other_entries_find_most(docs, qnets, entries):
    hits = STRATEGIES.build({"type": "graph", "entries": entries, "starts": 64, "ef": 128}, docs=docs).search(qnets, 10)
    assert recall(hits, qnets, docs) > (0.95 if entries == "firstorder" else 0.88)


def test_everything_is_found_where_ef_is_everything(docs, qnets, built):
    hits = walked(docs, built, qnets[:3], ef=N, beam=200)
    exact = STRATEGIES.build("exact", docs=docs).search(qnets[:3], 10)
    assert torch.equal(hits.rows, exact.rows)
    assert hits.scored == N


def test_a_filter_costs_no_recall(docs, qnets, built):
    scores, free = qnets(docs), walked(docs, built, qnets, ef=16)
    for share in (0.4, 0.6):
        allowed = torch.rand(N, generator=torch.Generator().manual_seed(0)) < share
        assert allowed.sum() > 16 * 32, "else all of them would be scored"
        truth = scores.masked_fill(~allowed, -torch.inf).topk(10, dim=1).indices
        hits = walked(docs, built, qnets, allowed, ef=16)
        both = [len(set(a) & set(b)) for a, b in zip(hits.rows.tolist(), truth.tolist(), strict=True)]
        assert sum(both) / truth.numel() >= recall(free, qnets, docs)
        assert free.scored < hits.scored < allowed.sum()


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_queries_in_a_batch_are_answered_as_alone(docs, qnets, settings):
    if "preset" in settings:
        own = {} if isinstance(settings["preset"], str) else settings["preset"]
        settings = {"preset": {"starts": 100, "candidates": 10, "iterations": 4, "degree": 20, **own}}
    graph = STRATEGIES.build({"type": "graph", **settings}, docs=docs)
    alone = torch.cat([graph.search(qnets[q : q + 1], 10).rows for q in range(Q)])
    assert torch.equal(graph.search(qnets[:Q], 10).rows, alone)


@pytest.mark.parametrize("settings", [{}, {"entries": "firstorder"}, {"preset": {"starts": 50}}], ids=str)
def test_what_was_built_is_used_again(docs, qnets, settings):
    config = STRATEGIES.parse({"type": "graph", **settings})
    built = Graph.build(config, docs)
    again = Graph(config, docs=docs, built=built).search(qnets, 10)
    assert torch.equal(again.rows, Graph(config, docs=docs).search(qnets, 10).rows)


LAWS = testing.TABLES["strategies"][1]


@pytest.mark.parametrize("settings", VARIANTS[1:], ids=str)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_variants_obey_the_laws(law, settings):
    torch.manual_seed(0)
    law({"type": "graph", **settings})


def test_no_query_has_no_hits(docs, qnets):
    graph = STRATEGIES.build("graph", docs=docs[torch.arange(50)])
    assert graph.search(qnets[:0], 3).rows.shape == (0, 3)


def test_a_function_without_gradient_is_served_where_none_is_needed():
    graph, _, _ = made(ef=20)
    assert (graph.search(written_scores(2, 400), 3).rows >= 0).all()
    for settings in ({"guitar": True}, {"entries": "firstorder"}):
        graph = STRATEGIES.build({"type": "graph", **settings}, docs=Dense(torch.eye(4)))
        with pytest.raises(CapabilityError, match=r"graph(.|\n)*Differentiable(.|\n)*Written"):
            graph.search(written_scores(2, 4), 3)


def test_nan_is_refused_by_row():
    graph, _, entries = made()
    f = written_scores(3, 400)
    f.scores[1, entries[2]] = torch.nan
    with pytest.raises(VectorError, match=f"NaN for row {int(entries[2])}"):
        graph.search(f, 3)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"ef": 0}, InputError, "ef"),
        ({"rounds": 0}, InputError, "rounds"),
        ({"guitar": {"factor": 0.5}}, InputError, "factor"),
        ({"entries": "hierarchy"}, ConfigError, "entries"),
        ({"preset": {"candidates": 0}}, InputError, "candidates"),
        ({"preset": "hypencoder", "ef": 9, "beam": 2}, InputError, "beam, ef"),
        ({"preset": {"start": 3}}, ConfigError, "start"),
    ],
)
def test_impossible_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        STRATEGIES.build({"type": "graph", **settings}, docs=Dense(torch.eye(4)))
