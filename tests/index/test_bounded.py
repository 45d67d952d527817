"""Exhaustive search under a bound: the answer of the plain one, and f is asked for few documents."""

from dataclasses import dataclass, replace

import pytest
import torch

from hyperir.core.docs import Dense
from hyperir.core.types import Bounded
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.bounded import width_of
from hyperir.relevance.hyper_words import Layer, WordsFunction

N, D, Q, T, ROWS = 3000, 24, 5, 4, 3


def words(seed=0):
    """Functions over words in cells, some of whose tokens are not wanted."""
    draw = torch.Generator().manual_seed(seed)
    places = torch.randint(8, D, (Q, T, ROWS), generator=draw)
    weights = torch.rand(Q, T, generator=draw) - 0.2
    base = torch.cat([torch.randn(Q, 8, generator=draw) / 3, torch.zeros(Q, D - 8)], 1)
    return WordsFunction("min", base, places, weights, None)


def documents(n=N, seed=1):
    draw = torch.Generator().manual_seed(seed)
    cells = torch.rand(n, D - 8, generator=draw) * (torch.rand(n, D - 8, generator=draw) < 0.5)
    return Dense(torch.cat([torch.randn(n, 8, generator=draw) / 3, cells], 1))


@dataclass(frozen=True)
class Counted:
    """A function that counts the documents that it is asked for."""

    f: WordsFunction
    bound: torch.Tensor
    asked: list

    @property
    def num_queries(self):
        return self.f.num_queries

    def __getitem__(self, queries):
        return Counted(self.f[queries], self.bound[queries], self.asked)

    def __call__(self, docs):
        self.asked.append(self.num_queries * docs.shape[-1])
        return self.f(docs)


@pytest.mark.parametrize("k", [1, 10])
@pytest.mark.parametrize("kept", [1.0, 0.8])
def test_the_answer_is_that_of_scoring_everything(k, kept):
    f, docs = words(), documents()
    allowed = None if kept == 1 else torch.rand(N, generator=torch.Generator().manual_seed(2)) < kept
    counted = Counted(f, f.bound, [])
    hits = STRATEGIES.build("exact", docs=docs).search(counted, k, allowed)
    scores = f(docs) if allowed is None else f(docs).masked_fill(~allowed, -torch.inf)
    expected = scores.topk(k, dim=1)
    torch.testing.assert_close(hits.scores, expected.values)
    assert torch.equal(hits.rows, expected.indices)
    assert sum(counted.asked) < Q * N / 3, "f was asked for few"
    assert N * kept < hits.scored <= 2 * N


@pytest.mark.parametrize("looseness", [0.2, 3.0])
def test_a_loose_bound_costs_time_and_changes_nothing(looseness):
    """So loose that the first proposals are not enough, and so loose that none are."""
    f, docs = words(), documents()
    docs = Dense(docs.vectors.abs())
    counted = Counted(f, f.bound + looseness, [])
    assert (counted.bound @ docs.vectors.T >= f(docs) - 1e-6).all()
    hits = STRATEGIES.build("exact", docs=docs).search(counted, 3)
    expected = f(docs).topk(3, dim=1)
    torch.testing.assert_close(hits.scores, expected.values)
    assert torch.equal(hits.rows, expected.indices)
    tight = Counted(f, f.bound, [])
    STRATEGIES.build("exact", docs=docs).search(tight, 3)
    assert sum(counted.asked) > 2 * sum(tight.asked)


def test_equal_documents_stand_by_row():
    f, docs = words(), documents(N // 2)
    docs = Dense(torch.cat([docs.vectors, docs.vectors]))
    hits = STRATEGIES.build("exact", docs=docs).search(f, 4)
    assert (hits.rows[:, 0::2] + N // 2 == hits.rows[:, 1::2]).all()


def test_a_budget_for_one_look_at_every_document_is_kept():
    f, docs = words(), documents()
    exact = STRATEGIES.build("exact", docs=docs)
    plain = exact.search(f, 5, budget=N)
    assert plain.scored == N
    assert torch.equal(plain.rows, exact.search(f, 5).rows)


def test_words_are_bounded_with_a_hidden_layer_too():
    f = words()
    assert isinstance(f, Bounded)
    assert f.bound.shape == (Q, D)
    assert 4 * width_of(10) < N, "else the tests above look at nothing"
    draw = torch.Generator().manual_seed(4)
    layer = Layer(torch.ones(Q, T), torch.rand(Q, T, generator=draw), torch.randn(Q, 2, generator=draw))
    f, docs = replace(f, layer=layer), documents()
    counted = Counted(f, f.bound, [])
    hits = STRATEGIES.build("exact", docs=docs).search(counted, 10)
    assert torch.equal(hits.rows, f(docs).topk(10, dim=1).indices)
    assert sum(counted.asked) < Q * N / 2
