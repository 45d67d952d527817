"""The laws of functions: of relevance functions, of the q-nets and heads that make them, and of words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from hyperir.core.docs import Dense, Multi, States
from hyperir.core.types import Additive, Bounded, Differentiable, Linear, Listed, SparseLinear, TokenWise
from hyperir.hypernet import HEADS, Slot
from hyperir.relevance import RELEVANCE
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.qnets import QNETS
from hyperir.testing.made import (
    KIND,
    D,
    H,
    K,
    N,
    Q,
    assert_close,
    make_docs,
    make_function,
    make_relevance,
    make_states,
)

__all__ = ["HEAD_LAWS", "LEXICAL_LAWS", "QNET_LAWS", "RELEVANCE_LAWS"]


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
        None if states.vectors is None else torch.cat([states.vectors, torch.randn(Q, 2, D)], 1),
        None if states.cells is None else states.cells.padded(states.mask.shape[1] + 2),
    )
    assert_close(module(more)(docs), module(states)(docs))


def gradients_reach_every_parameter(config: Any) -> None:
    module, states, docs = make_relevance(config), make_states(), make_docs()
    leaves = [states.pooled, states.tokens, *([] if states.vectors is None else [states.vectors])]
    for leaf in leaves:
        leaf.requires_grad_()
    f = module(states)
    (f(docs) * torch.randn(Q, N)).sum().backward()
    missed = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
    assert not missed, f"no gradient for {missed}"
    reached = [leaf.grad for leaf in leaves if leaf.grad is not None and leaf.grad.abs().sum() > 0]
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
        weighing: object = f.weighing
        if isinstance(weighing, Listed):
            assert_close(weighing.listed(docs.weights, docs.sums()[docs.owners]), weighed.weights)
    if isinstance(f, Bounded) and (weights := f.bound) is not None:
        counted = Dense(docs.vectors.abs())  # counts, of which bounds are told, are never below 0
        assert (weights @ counted.vectors.T >= f(counted) - 1e-5).all()
    if isinstance(f, TokenWise):
        assert_close(f.gathered(f.each(Dense(docs.vectors)), docs.indptr), f(docs))
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
        return value.double() if value.is_floating_point() else value
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
    for linear in (False, True, "written"):
        for law in RELEVANCE_LAWS:
            law({"type": "hyper", "qnet": qnet, "linear": linear})


def its_functions_obey_them_over_token_vectors(qnet: str) -> None:
    kind = KIND.set(Multi)
    try:
        for functions, aggregate in (("token", "max"), ("query", "sum")):
            for law in RELEVANCE_LAWS:
                law({"type": "hyper_multi", "qnet": qnet, "functions": functions, "aggregate": aggregate})
    finally:
        KIND.reset(kind)


def its_functions_equal_the_definition(qnet: str) -> None:
    net = QNETS.build(qnet, width=D)
    slots = net.slots().items()
    written = {name: torch.randn(1 if slot.shared else Q, *slot.shape).expand(Q, *slot.shape) for name, slot in slots}
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


QNET_LAWS = (
    its_functions_obey_the_laws_of_relevance,
    its_functions_obey_them_over_token_vectors,
    its_functions_equal_the_definition,
)
HEAD_LAWS = (heads_write_its_relevance, it_fills_every_slot)
LEXICAL_LAWS = (
    own_candidates_equal_a_gather_of_shared_ones,
    a_slice_of_queries_is_that_slice_of_scores,
    a_score_ignores_the_neighbours,
    capabilities_are_true,
    its_configuration_is_read_strictly,
    the_same_weighing_is_equal,
)
