"""Functions over documents of several vectors against loops over their tokens, and the identities between them."""

import pytest
import torch

from hyperir.core.docs import Dense, Multi, States
from hyperir.core.errors import InputError
from hyperir.core.ragged import maxima, sums
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance import RELEVANCE, tokens
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.tokens import TokenFunction

Q, N, T, D, H = 4, 50, 6, 8, 16


@pytest.fixture
def docs():
    torch.manual_seed(1)
    unit = torch.nn.functional.normalize
    return Multi.of_list([unit(torch.randn(length, D), dim=-1) for length in torch.randint(1, 9, (N,)).tolist()])


@pytest.fixture
def states():
    torch.manual_seed(2)
    mask = torch.arange(T)[None, :] < torch.tensor([6, 1, 3, 6])[:, None]
    vectors = torch.nn.functional.normalize(torch.randn(Q, T, D), dim=-1)
    return States(torch.randn(Q, T, H), mask, torch.randn(Q, D), vectors)


def build(config):
    return RELEVANCE.build(config, width=D, state_width=H)


def by_loops(score, states, docs, aggregate):
    """sum over i of max or sum over j of score(q, i, vector of j)."""
    out = torch.zeros(Q, N)
    for q in range(Q):
        for d in range(N):
            for i in range(T):
                if states.mask[q, i]:
                    found = [score(q, i, x) for x in docs.vectors[docs.indptr[d] : docs.indptr[d + 1]]]
                    out[q, d] += max(found) if aggregate == "max" else sum(found)
    return out


def test_maxsim_equals_the_written_out_loop(docs, states):
    expected = by_loops(lambda q, i, x: float(states.vectors[q, i] @ x), states, docs, "max")
    torch.testing.assert_close(build("maxsim")(states)(docs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cells", [1, 7, 40, 10**6])
def test_blocks_change_nothing(docs, states, cells, monkeypatch):
    expected = build("maxsim")(states)(docs)
    monkeypatch.setattr(tokens, "CELLS", cells)
    torch.testing.assert_close(build("maxsim")(states)(docs), expected)


def test_half_precision_documents_are_scored_in_the_queries_type(docs, states):
    half = Multi(docs.indptr, docs.vectors.half())
    found = build("maxsim")(states)(half)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, build("maxsim")(states)(docs), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("aggregate", ["max", "sum"])
def test_q_nets_over_tokens_equal_the_written_out_loop(docs, states, aggregate):
    module = build({"type": "hyper_multi", "aggregate": aggregate, "linear": True})
    with torch.no_grad():
        f = module(states)
        places = states.mask.long().cumsum(1) - 1 + f.bounds[:-1, None]
        net = f.each(Dense(docs.vectors))
        number = {tuple(x.tolist()): j for j, x in enumerate(docs.vectors)}
        expected = by_loops(
            lambda q, i, x: float(net[places[q, i], number[tuple(x.tolist())]]), states, docs, aggregate
        )
        torch.testing.assert_close(f(docs), expected, rtol=1e-4, atol=1e-3)


def test_maxsim_is_the_hypencoder_whose_q_nets_are_linear_and_silent(docs, states):
    module = build({"type": "hyper_multi", "qnet": {"type": "mlp", "scaled": True}, "linear": True})
    expected = build("maxsim")(states)(docs)
    torch.testing.assert_close(module(states)(docs), expected, rtol=1e-5, atol=1e-5)


def test_one_q_net_a_query_with_sums_is_an_inner_product_with_the_sum_of_the_tokens(docs, states):
    w = torch.randn(Q, D)
    f = TokenFunction(InnerProduct(w), torch.arange(Q + 1), "sum")
    pooled = torch.stack([docs.vectors[a:b].sum(0) for a, b in zip(docs.indptr, docs.indptr[1:], strict=False)])
    torch.testing.assert_close(f(docs), InnerProduct(w)(Dense(pooled)), rtol=1e-5, atol=1e-5)


def test_training_learns_from_the_largest_alone(docs, states):
    vectors = docs.vectors.clone().requires_grad_()
    build("maxsim")(states)(Multi(docs.indptr, vectors))[0].sum().backward()
    best = (states.vectors[0] @ docs.vectors.T)[states.mask[0]]
    for d in range(N):
        a, b = docs.indptr[d : d + 2].tolist()
        chosen = set((best[:, a:b].argmax(1) + a).tolist())
        assert {j for j in range(a, b) if vectors.grad[j].any()} == chosen


@pytest.mark.parametrize("learning", [False, True])
def test_a_document_without_vectors_is_the_worst(learning):
    values = torch.tensor([[3.0, 1.0, -2.0]], requires_grad=learning)
    indptr = torch.tensor([0, 0, 2, 2, 3, 3])
    assert maxima(values, indptr).tolist() == [[-torch.inf, 3.0, -torch.inf, -2.0, -torch.inf]]
    assert sums(values, indptr).tolist() == [[0.0, 4.0, 0.0, -2.0, 0.0]]
    assert maxima(values[:, :0], torch.tensor([0, 0])).tolist() == [[-torch.inf]]


def test_exact_search_finds_the_best_of_the_loop(docs, states):
    f = build("maxsim")(states)
    hits = STRATEGIES.build({"type": "exact", "block": 7}, docs=docs).search(f, 5)
    expected = f(docs).sort(dim=1, descending=True, stable=True)
    assert torch.equal(hits.rows, expected.indices[:, :5])
    assert hits.scored == N


def test_an_encoder_of_one_vector_a_text_is_refused(states):
    with pytest.raises(InputError, match="a vector of every token"):
        build("maxsim")(States(states.tokens, states.mask, states.pooled))
