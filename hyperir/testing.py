"""The laws: what every member of every table obeys. A new member is tested before its author writes a test.

In a package of your own:

    import pytest
    from hyperir import testing

    @pytest.mark.parametrize("law", testing.laws("relevance", "mine"), ids=str)
    def test_laws(law):
        law()
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hyperir.core.docs import Dense, Sparse, States
from hyperir.core.errors import CapabilityError, InputError
from hyperir.core.registry import Table
from hyperir.core.types import Additive, Differentiable, Docs, Hits, Linear, Relevance, SparseLinear, Strategy
from hyperir.hypernet import HEADS, Slot
from hyperir.index.strategies import STRATEGIES, Buildable
from hyperir.relevance import RELEVANCE
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.qnets import QNETS
from hyperir.relevance.sparse import SparseInner, as_stored
from hyperir.train.laws import TRAINING

__all__ = ["TABLES", "Law", "laws"]

Q, N, K, T, D, H = 3, 23, 5, 7, 12, 16  # sizes of the made-up world; all different, so that mixed-up axes show
KIND: ContextVar[type[Docs]] = ContextVar("KIND", default=Dense)  # of the documents that a law is tried on


Check = Callable[[Any], None]


@dataclass(frozen=True)
class Law:
    """One law about one member: call it; it raises AssertionError if the member breaks it."""

    room: str
    member: str
    check: Callable[[str], None]

    def __call__(self) -> None:
        torch.manual_seed(0)
        self.check(self.member)

    def __str__(self) -> str:
        return f"{self.room}-{self.member}-{self.check.__name__}"


def laws(room: str | None = None, member: str | None = None) -> Iterator[Law]:
    """The laws of one room or of all, for one member or for all; of a strategy, over each kind that it serves."""
    for name, (table, checks) in TABLES.items():
        for each in table if member is None else [member]:
            if room in (None, name):
                yield from (Law(name, each, over(kind)(check)) for kind in kinds_of(name, each) for check in checks)


def kinds_of(room: str, member: str) -> tuple[type[Docs], ...]:
    """The kinds of documents that a member serves: those of its `kinds`, `Dense` where it names none."""
    if room == "lexical":
        return (Sparse,)
    return tuple(vars(TABLES[room][0][member]).get("kinds", (Dense,)))


def over(kind: type[Docs]) -> Callable[[Check], Check]:
    """The same law, tried on documents of a kind, which its name then says where they are no vectors."""

    def tried(law: Check) -> Check:
        if kind is Dense:
            return law

        @wraps(law)
        def check(member: Any) -> None:
            token = KIND.set(kind)
            try:
                law(member)
            finally:
                KIND.reset(token)

        check.__name__ = f"{law.__name__}-{kind.__name__.lower()}"
        return check

    return tried


def assert_close(actual: Tensor, expected: Tensor, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Equal shapes, and values equal up to float32 rounding."""
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)


# What the laws are tried on.


def make_states() -> States:
    """States of Q queries of different lengths, unit vectors pooled."""
    mask = torch.arange(T)[None, :] < torch.tensor([T, 2, 4])[:, None]
    pooled = torch.nn.functional.normalize(torch.randn(Q, D), dim=-1)
    return States(torch.randn(Q, T, H), mask, pooled)


def make_docs(n: int = N) -> Any:
    """n unit vectors; or n documents of counted words, the second without any."""
    if KIND.get() is Sparse:
        counts = torch.randint(0, 4, (n, D)) * torch.randint(0, 2, (n, D))
        counts[1:2] = 0
        return Sparse.of_dense(counts.float())
    return Dense(torch.nn.functional.normalize(torch.randn(n, D), dim=-1))


def make_relevance(config: Any) -> nn.Module:
    """A relevance member away from its special starting point, so that no weight is zero."""
    module = RELEVANCE.build(config, width=D, state_width=H)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def make_function(config: Any) -> Relevance[Any]:
    """A relevance function of Q queries, without gradients; over words an inner product, or a member of `LEXICAL`."""
    if KIND.get() is Sparse:
        queries = make_docs(Q + 2)[2:]
        if isinstance(config, str) and config not in list(LEXICAL):
            return SparseInner(queries, as_stored, torch.zeros(Q))
        return LEXICAL.build(config).function(queries, Statistics.of(make_docs(2 * N)))
    with torch.no_grad():
        f: Relevance[Dense] = make_relevance(config)(make_states())
    return f


def make_equal() -> tuple[Any, Any]:
    """N documents that are the same, and a function that gives all of them exactly the same score."""
    if KIND.get() is Sparse:
        return Sparse.of_dense(torch.ones(N, D)), make_function("dot")
    # Whole numbers, because equal vectors may score differently in the last bit at different places of a block.
    return Dense(torch.ones(N, D)), InnerProduct(torch.randint(-3, 4, (Q, D)).float())


def make_strategy(strategy: Any, docs: Any) -> Strategy[Any]:
    """A strategy over the documents; one that is built from training queries gets some."""
    takes = inspect.signature(STRATEGIES[STRATEGIES.parse(strategy).type]).parameters  # type: ignore[attr-defined]
    context = {"functions": make_function("dot")} if "functions" in takes else {}
    return STRATEGIES.build(strategy, docs=docs, **context)


# Laws of relevance functions.


def own_candidates_equal_a_gather_of_shared_ones(config: Any) -> None:
    f, docs = make_function(config), make_docs()
    rows = torch.randint(N, (Q, K))
    assert_close(f(docs[rows]), f(docs).gather(1, rows))


def a_slice_of_queries_is_that_slice_of_scores(config: Any) -> None:
    f, docs = make_function(config), make_docs()
    part = f[1:3]
    assert (f.num_queries, part.num_queries) == (Q, 2)
    assert_close(part(docs), f(docs)[1:3])


def a_score_ignores_the_neighbours(config: Any) -> None:
    f, docs = make_function(config), make_docs()
    order = torch.randperm(N)[: N // 2]
    assert_close(f(docs[order]), f(docs)[:, order])
    assert_close(f(docs[4:5]), f(docs)[:, 4:5])
    assert f(docs[:0]).shape == (Q, 0)


def padding_changes_nothing(config: Any) -> None:
    module, states, docs = make_relevance(config), make_states(), make_docs()
    more = States(
        torch.cat([states.tokens, torch.randn(Q, 2, H)], 1),
        torch.cat([states.mask, torch.zeros(Q, 2, dtype=torch.bool)], 1),
        states.pooled,
    )
    assert_close(module(more)(docs), module(states)(docs))


def gradients_reach_every_parameter(config: Any) -> None:
    module, states, docs = make_relevance(config), make_states(), make_docs()
    pooled = states.pooled.requires_grad_()
    tokens = states.tokens.requires_grad_()
    f = module(States(tokens, states.mask, pooled))
    (f(docs) * torch.randn(Q, N)).sum().backward()
    missed = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
    assert not missed, f"no gradient for {missed}"
    reached = [g for g in (pooled.grad, tokens.grad) if g is not None and g.abs().sum() > 0]
    assert reached, "no gradient for the query's states"
    assert all(g.isfinite().all() for g in reached)


def training_and_search_give_the_same_scores(config: Any) -> None:
    module, states, docs = make_relevance(config), make_states(), make_docs()
    with torch.no_grad():
        searched = module(states)(docs)
    assert_close(module(states)(docs), searched)


def capabilities_are_true(config: Any) -> None:
    f, docs = make_function(config), make_docs()
    if isinstance(f, Linear):
        assert_close(f(docs), f.weights @ docs.vectors.T)
    if isinstance(f, SparseLinear):
        weighed = f.weighing(docs)
        expected = f.queries.dense(D).vectors @ weighed.dense(D).vectors.T + f.shift[:, None]
        offset = f.offset(weighed)
        assert_close(f(docs), expected if offset is None else expected + offset)
    if isinstance(f, Additive):
        assert_close(torch.stack(list(f.parts(docs).values())).sum(0), f(docs))
    if isinstance(f, Differentiable):
        step = torch.randn(N, D, dtype=torch.float64) * 1e-6
        x = docs.vectors.double()
        exact = _in_double(f)
        rise = exact(Dense(x + step)) - exact(Dense(x - step))
        expected = (exact.gradient(Dense(x)) * 2 * step).sum(-1)
        assert_close(rise, expected, rtol=1e-4, atol=1e-8)
        shared = f.gradient(docs)
        rows = torch.randint(N, (Q, K))
        assert shared.shape == (Q, N, D)
        own = shared.gather(1, rows[..., None].expand(-1, -1, D))
        assert_close(f.gradient(docs[rows]), own)


def its_configuration_reads_back(config: Any) -> None:
    checked = RELEVANCE.parse(config)
    assert RELEVANCE.parse(checked.model_dump(mode="json")) == checked


def _in_double(value: Any) -> Any:
    """The same frozen dataclass with its tensors in float64."""
    if isinstance(value, Tensor):
        return value.double()
    if isinstance(value, tuple):
        return tuple(_in_double(v) for v in value)
    if hasattr(value, "__dataclass_fields__"):
        return type(value)(*(_in_double(getattr(value, name)) for name in value.__dataclass_fields__))
    return value


RELEVANCE_LAWS = (
    own_candidates_equal_a_gather_of_shared_ones,
    a_slice_of_queries_is_that_slice_of_scores,
    a_score_ignores_the_neighbours,
    padding_changes_nothing,
    gradients_reach_every_parameter,
    training_and_search_give_the_same_scores,
    capabilities_are_true,
    its_configuration_reads_back,
)


# Laws of q-nets and heads: those of the functions they make, and their own.


def its_functions_obey_the_laws_of_relevance(qnet: str) -> None:
    for linear in (False, True):
        for law in RELEVANCE_LAWS:
            law({"type": "hyper", "qnet": qnet, "linear": linear})


def its_functions_equal_the_definition(qnet: str) -> None:
    net = QNETS.build(qnet, width=D)
    written = {name: torch.randn(Q, *slot.shape) for name, slot in net.slots().items()}
    base, docs = torch.randn(Q, D), make_docs()
    expected = torch.stack(
        [
            functional_call(net, {name: value[q] for name, value in written.items()}, (docs.vectors,))  # type: ignore[arg-type]
            for q in range(Q)
        ]
    )
    assert_close(net.function(written, None)(docs), expected)
    assert_close(net.function(written, base)(docs), expected + base @ docs.vectors.T)


def heads_write_its_relevance(head: str) -> None:
    for law in RELEVANCE_LAWS:
        law({"type": "hyper", "head": head})


def it_fills_every_slot(head: str) -> None:
    slots = {"matrix": Slot(torch.zeros(4, 6)), "kernel": Slot(torch.zeros(2, 3, 5)), "vector": Slot(torch.zeros(6))}
    slots["silent"] = Slot(torch.zeros(1, 6), silent=True)
    states = make_states()
    written = HEADS.build(head, slots=slots, width=H)(states.tokens, states.mask)
    assert {name: value.shape for name, value in written.items()} == {n: (Q, *s.shape) for n, s in slots.items()}
    assert not written["silent"].any(), "a silent slot starts as zero"
    assert (written["vector"][0] != written["vector"][1]).any(), "what is written depends on the text"


# Laws of words: the function's, and that documents come and go without being counted again.


def its_configuration_is_read_strictly(lexical: str) -> None:
    checked = LEXICAL.parse(lexical)
    assert LEXICAL.parse(checked.model_dump(mode="json")) == checked


def the_same_weighing_is_equal(lexical: str) -> None:
    queries, statistics = make_docs(Q), Statistics.of(make_docs())
    one, again = (LEXICAL.build(lexical).function(queries, statistics) for _ in range(2))
    assert isinstance(one, SparseLinear)
    assert isinstance(again, SparseLinear)
    assert one.weighing == again.weighing, "an inverted index makes its lists again for every other weighing"


# Laws of strategies.

EXACT = ("exact", "inverted")  # strategies that miss nothing


def it_agrees_with_brute_force_or_refuses_by_name(strategy: str) -> None:
    refused = []
    members = LEXICAL if KIND.get() is Sparse else RELEVANCE
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
    return CountedLists(f, []) if isinstance(f, SparseLinear) else Counted(f, [])


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


TABLES: dict[str, tuple[Table[Any], tuple[Check, ...]]] = {
    "relevance": (RELEVANCE, RELEVANCE_LAWS),
    "qnets": (QNETS, (its_functions_obey_the_laws_of_relevance, its_functions_equal_the_definition)),
    "heads": (HEADS, (heads_write_its_relevance, it_fills_every_slot)),
    "lexical": (
        LEXICAL,
        (
            own_candidates_equal_a_gather_of_shared_ones,
            a_slice_of_queries_is_that_slice_of_scores,
            a_score_ignores_the_neighbours,
            capabilities_are_true,
            its_configuration_is_read_strictly,
            the_same_weighing_is_equal,
        ),
    ),
    "strategies": (
        STRATEGIES,
        (
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
        ),
    ),
    **TRAINING,
}
