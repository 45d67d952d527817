"""Exhaustive search against brute force, with blocks that do not divide N and scores full of ties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, InputError, VectorError
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.exact import Exact
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
    assert quick.scored == n + min(n, 2 * 10 + 64), "those scored again count again"


@pytest.mark.parametrize("n", [0, 3, 2000])
def test_a_first_pass_over_a_built_copy_gives_what_it_gives_without(n):
    f, docs = make_qnets(4), Dense(torch.randn(n, 16))
    config = STRATEGIES.parse({"type": "exact", "first_pass": "bfloat16", "block": 700})
    built = Exact.build(config, docs)
    assert all(part.dtype == torch.bfloat16 and part.shape == (n, 16) for part in built.values())
    copied, converted = (STRATEGIES.build(config, docs=docs, built=one).search(f, 10) for one in (built, None))
    assert torch.equal(copied.rows, converted.rows)
    assert torch.equal(copied.scores, converted.scores)
    assert Exact.build(STRATEGIES.parse("exact"), docs) == {}


def test_only_vectors_have_a_copy():
    class Texts(list):
        shape = torch.Size([3])

    with pytest.raises(CapabilityError, match="only vectors have a bfloat16 copy"):
        Exact.build(STRATEGIES.parse({"type": "exact", "first_pass": "bfloat16"}), Texts("abc"))


def test_a_bfloat16_first_pass_needs_a_function_that_can():
    exact = STRATEGIES.build({"type": "exact", "first_pass": "bfloat16"}, docs=Dense(torch.randn(5, 8)))
    with pytest.raises(CapabilityError, match="exact cannot make a bfloat16 first pass"):
        exact.search(InnerProduct(torch.randn(1, 8)), 2)


SHARES = {"none": [], "few": [0.02], "half": [0.5], "most": [0.98], "mixed": [0.0, 0.02, 1.0, 0.98, 0.02, 0.5, 1.0]}


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("k", [10, 2000])
def test_the_allowed_rows_give_brute_force_over_them_whatever_is_not_allowed(shares, block, k, monkeypatch):
    monkeypatch.setattr("hyperir.index.strategies.exact.BUFFER_CELLS", 1000)  # several buffers
    n, f = 1003, InnerProduct(torch.randint(-3, 4, (4, 8)).float())
    vectors = torch.randint(-3, 4, (n, 8)).float()  # many ties
    chance = torch.tensor(shares or [0.0])[torch.arange(n) // 100 % max(len(shares), 1)]
    allowed = torch.rand(n) < chance
    clean = Dense(vectors.clone())
    vectors[~allowed, 3] = float("nan")
    hits = STRATEGIES.build({"type": "exact", "block": block}, docs=Dense(vectors)).search(f, k, allowed)
    rows = allowed.nonzero().flatten()
    expected = f(clean[rows]).sort(dim=1, descending=True, stable=True)
    count = min(k, len(rows))
    assert torch.equal(hits.rows[:, :count], rows[expected.indices[:, :count]])
    assert torch.equal(hits.scores[:, :count], expected.values[:, :count])
    assert (hits.rows[:, count:] == -1).all()
    assert len(rows) <= hits.scored <= 2 * len(rows)


def test_only_what_passes_is_scored_where_little_passes():
    docs, f = Dense(torch.randn(5000, 8)), InnerProduct(torch.randn(2, 8))
    allowed = torch.arange(5000) % 100 == 3
    assert STRATEGIES.build("exact", docs=docs).search(f, 10, allowed).scored == 50


def test_minus_infinity_is_a_score_that_only_allowed_rows_have():
    vectors = torch.full((20, 1), -float("inf"))
    hits = STRATEGIES.build("exact", docs=Dense(vectors)).search(
        InnerProduct(torch.ones(1, 1)), 15, torch.arange(20) < 12
    )
    assert hits.rows.tolist() == [[*range(12), -1, -1, -1]]


def test_a_nan_score_of_an_allowed_row_is_an_error():
    vectors = torch.randn(20, 8)
    vectors[13] = float("nan")
    for allowed in (torch.arange(20) == 13, torch.arange(20) > 2):
        with pytest.raises(VectorError, match="NaN for row 13"):
            STRATEGIES.build("exact", docs=Dense(vectors)).search(InnerProduct(torch.randn(2, 8)), 5, allowed)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.9])
def test_a_bfloat16_first_pass_obeys_allowed(share):
    f, vectors = make_qnets(4), torch.randn(2000, 16)
    allowed = torch.rand(2000) < share
    vectors[~allowed] = float("nan")
    full = STRATEGIES.build("exact", docs=Dense(vectors)).search(f, 50, allowed)
    quick = STRATEGIES.build({"type": "exact", "first_pass": "bfloat16"}, docs=Dense(vectors)).search(f, 50, allowed)
    torch.testing.assert_close(quick.scores, full.scores)
    assert ((quick.rows == -1) == (full.rows == -1)).all()
    assert (quick.rows == full.rows).float().mean() > 0.97


def test_a_budget_that_does_not_pay_for_all_is_refused():
    f, docs = make_qnets(2), Dense(torch.randn(50, 16))
    exact = STRATEGIES.build("exact", docs=docs)
    assert exact.search(f, 3, budget=50).scored == 50
    with pytest.raises(InputError, match=r"exact(.|\n)*50 or more(.|\n)*budget = 49(.|\n)*auto"):
        exact.search(f, 3, budget=49)
    allowed = torch.arange(50) % 10 < 8  # without a budget whole blocks are scored, those that are not allowed too
    assert exact.search(f, 3, allowed).scored == 50
    assert exact.search(f, 3, allowed, budget=40).scored == 40
    coarse = STRATEGIES.build({"type": "exact", "first_pass": "bfloat16"}, docs=docs)
    with pytest.raises(InputError, match="a budget of 100 or more"):
        coarse.search(f, 3, budget=99)
