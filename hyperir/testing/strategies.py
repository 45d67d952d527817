"""The laws of strategies: what each finds, what it may bring back, what it counts, and what it refuses."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hyperir.core.docs import Dense, Sparse
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.types import Hits, Relevance, SparseLinear, TokenWise
from hyperir.index.strategies import STRATEGIES, Buildable
from hyperir.relevance import RELEVANCE, kinds_of
from hyperir.relevance.lexical import LEXICAL
from hyperir.testing.made import KIND, D, K, N, Q, assert_close, make_docs, make_equal, make_function, make_strategy

__all__ = ["STRATEGY_LAWS"]

EXACT = ("exact", "inverted")  # strategies that miss nothing


def it_agrees_with_brute_force_or_refuses_by_name(strategy: str) -> None:
    refused = []
    served = [name for name in RELEVANCE if KIND.get() in kinds_of(RELEVANCE.parse(name))]
    members = list(LEXICAL) if KIND.get() is Sparse else served
    for config in members:
        f, docs = make_function(config), make_docs()
        try:
            hits = make_strategy(strategy, docs).search(f, K)
        except CapabilityError as error:
            assert strategy in str(error), error
            refused.append(config)
            continue
        scores = f(docs)
        expected = scores.sort(dim=1, descending=True, stable=True)
        if strategy in EXACT:
            assert torch.equal(hits.rows, expected.indices[:, :K])
        assert_close(hits.scores, scores.gather(1, hits.rows))
        assert 0 < hits.scored <= 3 * N, "each document at most once, and at most as many centroids and gradients"
    assert len(refused) < len(members), "it serves no relevance function at all"


def k_beyond_n_pads(strategy: str) -> None:
    for n in (0, 1, K - 1):
        f, docs = make_function("dot"), make_docs(n)
        hits = make_strategy(strategy, docs).search(f, K)
        assert hits.rows.shape == hits.scores.shape == (Q, K)
        assert (hits.rows[:, n:] == -1).all()
        assert (hits.scores[:, n:] == -math.inf).all()
        assert torch.equal(hits.rows[:, :n].sort().values, torch.arange(n).expand(Q, n))


def rows_are_unique_and_scores_descend(strategy: str) -> None:
    hits = make_strategy(strategy, make_docs()).search(make_function("dot"), N)
    assert all(len(set(rows.tolist())) == N for rows in hits.rows)
    assert (hits.scores.diff(dim=1) <= 0).all()


def ties_break_by_row(strategy: str) -> None:
    docs, f = make_equal()
    hits: Hits = make_strategy(strategy, docs).search(f, K)
    assert torch.equal(hits.rows, torch.arange(K).expand(Q, K))


def only_allowed_rows_come_back_and_they_as_if_alone(strategy: str) -> None:
    f, docs = make_function("dot"), make_docs()
    scores = f(docs)
    for share in (0.1, 0.5, 0.9):
        allowed = torch.rand(N) < share
        allowed[7] = True
        hits = make_strategy(strategy, docs).search(f, K, allowed)
        found = hits.rows >= 0
        count = min(K, int(allowed.sum()))
        assert (found.sum(1) <= count).all()
        assert allowed[hits.rows[found]].all()
        assert_close(hits.scores[found], scores.gather(1, hits.rows.clamp_min(0))[found])
        assert (hits.scores[~found] == -math.inf).all()
        assert all(len(set(rows[rows >= 0].tolist())) == len(rows[rows >= 0]) for rows in hits.rows)
        if strategy in EXACT:
            expected = scores.masked_fill(~allowed, -math.inf).sort(dim=1, descending=True, stable=True)
            assert torch.equal(hits.rows[:, :count], expected.indices[:, :count])
            assert (found.sum(1) == count).all()


def all_allowed_is_as_without(strategy: str) -> None:
    f, docs = make_function("dot"), make_docs()
    searcher = make_strategy(strategy, docs)
    free, allowed = searcher.search(f, K), searcher.search(f, K, torch.ones(N, dtype=torch.bool))
    assert torch.equal(free.rows, allowed.rows)
    assert_close(free.scores, allowed.scores)


def few_allowed_pads(strategy: str) -> None:
    f, docs = make_function("dot"), make_docs()
    for rows in ([], [N - 1], [0, 9]):
        allowed = torch.zeros(N, dtype=torch.bool)
        allowed[rows] = True
        hits = make_strategy(strategy, docs).search(f, K, allowed)
        assert hits.rows.shape == hits.scores.shape == (Q, K)
        assert torch.equal(hits.rows[:, : len(rows)].sort().values, torch.tensor(rows, dtype=torch.int64).expand(Q, -1))
        assert (hits.rows[:, len(rows) :] == -1).all()
        assert (hits.scores[:, len(rows) :] == -math.inf).all()


def allowed_of_another_shape_or_type_is_refused(strategy: str) -> None:
    for allowed in (torch.ones(N + 1, dtype=torch.bool), torch.ones(N), torch.ones(Q, N, dtype=torch.bool)):
        try:
            make_strategy(strategy, make_docs()).search(make_function("dot"), K, allowed)
        except InputError as error:
            assert str(tuple(allowed.shape)) in str(error), error
        else:
            raise AssertionError(f"{allowed.dtype} {tuple(allowed.shape)} was accepted")


@dataclass(frozen=True)
class Counted:
    """A function that counts what it is asked for, each gradient as one document."""

    f: Any
    calls: list[int]

    @property
    def num_queries(self) -> int:
        return int(self.f.num_queries)

    def __call__(self, docs: Dense) -> Tensor:
        self.calls.append(docs.shape[-1])
        scores: Tensor = self.f(docs)
        return scores

    def gradient(self, docs: Dense) -> Tensor:
        self.calls.append(docs.shape[-1])
        gradients: Tensor = self.f.gradient(docs)
        return gradients

    def __getitem__(self, queries: slice) -> Counted:
        return type(self)(self.f[queries], self.calls)


class CountedTokens(Counted):
    """The same of a function over token vectors, whose parts may be asked for vectors that are no document's."""

    @property
    def each(self) -> Counted:
        return Counted(self.f.each, self.calls)

    def gathered(self, scores: Tensor, indptr: Tensor) -> Tensor:
        found: Tensor = self.f.gathered(scores, indptr)
        return found


class CountedLists(Counted):
    """The same of a function that inverted lists serve, which need not call it."""

    @property
    def queries(self) -> Sparse:
        queries: Sparse = self.f.queries
        return queries

    @property
    def weighing(self) -> Callable[[Sparse], Sparse]:
        weighing: Callable[[Sparse], Sparse] = self.f.weighing
        return weighing

    @property
    def shift(self) -> Tensor:
        shift: Tensor = self.f.shift
        return shift

    def offset(self, weighed: Sparse) -> Tensor | None:
        offset: Tensor | None = self.f.offset(weighed)
        return offset


def counted(f: Relevance[Any]) -> Counted:
    """A function that counts, with none of its calls so far."""
    kind = CountedLists if isinstance(f, SparseLinear) else CountedTokens if isinstance(f, TokenWise) else Counted
    return kind(f, [])


def what_is_counted_is_what_was_asked_for(strategy: str) -> None:
    f, docs = counted(make_function("hyper")[1:2]), make_docs()
    searcher = make_strategy(strategy, docs)
    for allowed in (None, torch.arange(N) % 5 > 0):
        f.calls.clear()
        scored = searcher.search(f, K, allowed).scored
        assert scored == sum(f.calls) or (isinstance(f, SparseLinear) and not f.calls and scored <= N)


def a_budget_is_kept_or_refused_by_name(strategy: str) -> None:
    f, docs = make_function("hyper"), make_docs(20 * N)
    searcher, scores = make_strategy(strategy, docs), f(docs)
    some = torch.arange(20 * N) % 3 == 0
    kept = 0
    for budget in (1, 7, 3 * N, 11 * N, 20 * N, 100 * N):
        for allowed in (None, some):
            one = counted(f[0:1])
            try:
                hits = searcher.search(f, K, allowed, budget)
                searcher.search(one, K, allowed, budget)
            except InputError as error:
                assert STRATEGIES.parse(strategy).model_dump()["type"] in str(error), error
                assert str(budget) in str(error), error
                continue
            kept += 1
            assert 0 < hits.scored <= budget
            assert sum(one.calls) <= budget
            found = hits.rows >= 0
            assert_close(hits.scores[found], scores.gather(1, hits.rows.clamp_min(0))[found])
            assert allowed is None or allowed[hits.rows[found]].all()
    assert kept >= 3, "a budget that pays for every document is never refused"


def a_budget_below_one_is_refused(strategy: str) -> None:
    for budget in (0, -5):
        try:
            make_strategy(strategy, make_docs()).search(make_function("dot"), K, None, budget)
        except InputError as error:
            assert str(budget) in str(error), error
        else:
            raise AssertionError(f"budget = {budget} was accepted")


def k_below_one_is_refused(strategy: str) -> None:
    for k in (0, -1):
        try:
            make_strategy(strategy, make_docs()).search(make_function("dot"), k)
        except InputError as error:
            assert str(k) in str(error), error
        else:
            raise AssertionError(f"k = {k} was accepted")


def what_it_builds_passes_its_own_check_and_is_taken_again(strategy: str) -> None:
    config, f, docs = STRATEGIES.parse(strategy), make_function("dot"), make_docs()
    member = STRATEGIES[config.type]  # type: ignore[attr-defined]
    if not issubclass(member, Buildable):
        return
    context = {"functions": make_function("dot")} if "functions" in inspect.signature(member.build).parameters else {}
    built = member.build(config, docs, **context)
    if not built:
        return
    member.check(built, N, D)
    expected, again = (STRATEGIES.build(config, docs=docs, built=built).search(f, K) for _ in range(2))
    assert torch.equal(expected.rows, again.rows)
    for wrong in ({}, {name: value[:, None] for name, value in built.items()}):
        try:
            member.check(wrong, N, D)
        except (KeyError, ValueError):
            continue
        raise AssertionError("tensors that it cannot have built were accepted")


STRATEGY_LAWS = (
    it_agrees_with_brute_force_or_refuses_by_name,
    k_beyond_n_pads,
    rows_are_unique_and_scores_descend,
    ties_break_by_row,
    only_allowed_rows_come_back_and_they_as_if_alone,
    all_allowed_is_as_without,
    few_allowed_pads,
    allowed_of_another_shape_or_type_is_refused,
    k_below_one_is_refused,
    what_is_counted_is_what_was_asked_for,
    a_budget_is_kept_or_refused_by_name,
    a_budget_below_one_is_refused,
    what_it_builds_passes_its_own_check_and_is_taken_again,
)
