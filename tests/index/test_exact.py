"""Exhaustive search against brute force, with blocks that do not divide N and scores full of ties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, VectorError
from hyperir.index.strategies import STRATEGIES
from hyperir.index.topk import Best
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.qnets import QNETS


@given(
    scores=st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=3),
    k=st.integers(1, 12),
    cut=st.integers(0, 9),
)
def test_best_is_the_stable_sort_however_blocks_are_cut(scores, k, cut):
    scores = torch.tensor(scores, dtype=torch.float32)
    best = Best(len(scores), k)
    for rows in (torch.arange(cut), torch.arange(cut, 9)):
        best.offer(scores[:, rows], rows)
    hits = best.hits(9)
    expected = scores.sort(dim=1, descending=True, stable=True)
    kept = min(k, 9)
    assert torch.equal(hits.rows[:, :kept], expected.indices[:, :kept])
    assert torch.equal(hits.scores[:, :kept], expected.values[:, :kept])
    assert (hits.rows[:, kept:] == -1).all()


@pytest.mark.parametrize("block", [1, 7, 100, 5000])
@pytest.mark.parametrize("n", [99, 100, 101])
def test_blocks_of_any_size_give_brute_force(block, n):
    docs, f = Dense(torch.randn(n, 8)), InnerProduct(torch.randn(4, 8))
    hits = STRATEGIES.build({"type": "exact", "block": block}, docs=docs).search(f, 10)
    assert torch.equal(hits.rows, f(docs).topk(10).indices)
    assert hits.scored == n


def test_float16_vectors_are_searched_in_float32():
    docs, f = Dense(torch.randn(50, 8).half()), InnerProduct(torch.randn(2, 8))
    hits = STRATEGIES.build("exact", docs=docs).search(f, 5)
    assert torch.equal(hits.rows, f(Dense(docs.vectors.float())).topk(5).indices)


def test_a_nan_score_is_an_error_that_names_query_and_row():
    vectors = torch.randn(20, 8)
    vectors[13, 2] = float("nan")
    with pytest.raises(VectorError, match="query 0 gave NaN for row 13"):
        STRATEGIES.build("exact", docs=Dense(vectors)).search(InnerProduct(torch.randn(2, 8)), 5)


def test_no_queries_and_no_documents():
    exact = STRATEGIES.build("exact", docs=Dense(torch.randn(0, 8)))
    assert exact.search(InnerProduct(torch.randn(0, 8)), 3).rows.shape == (0, 3)
    assert exact.search(InnerProduct(torch.randn(2, 8)), 3).rows.tolist() == [[-1] * 3] * 2


def make_qnets(queries):
    torch.manual_seed(0)
    net = QNETS.build({"type": "mlp", "hidden": (32, 32)}, width=16)
    return net.function({n: torch.randn(queries, *s.shape) / s.shape[-1] ** 0.5 for n, s in net.slots().items()}, None)


@pytest.mark.parametrize("n", [0, 3, 2000])
def test_a_bfloat16_first_pass_gives_the_scores_of_full_precision(n):
    f, docs = make_qnets(4), Dense(torch.randn(n, 16))
    full = STRATEGIES.build("exact", docs=docs).search(f, 10)
    quick = STRATEGIES.build({"type": "exact", "first_pass": "bfloat16"}, docs=docs).search(f, 10)
    torch.testing.assert_close(quick.scores, full.scores)
    assert (quick.rows == full.rows).float().mean() > 0.97
    assert quick.scored == n


def test_a_bfloat16_first_pass_needs_a_function_that_can():
    exact = STRATEGIES.build({"type": "exact", "first_pass": "bfloat16"}, docs=Dense(torch.randn(5, 8)))
    with pytest.raises(CapabilityError, match="exact cannot make a bfloat16 first pass"):
        exact.search(InnerProduct(torch.randn(1, 8)), 2)
