"""Inverted lists against exhaustive search, with scores full of ties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperir.core.docs import Dense, Sparse
from hyperir.core.errors import CapabilityError, InputError, VectorError
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.sparse import SparseDistance, SparseInner, as_stored, normalized

CELL = st.sampled_from([0, 0, 0, 1, 2])


def inner(vectors, weighing=as_stored, shift=0.0):
    queries = Sparse.of_dense(torch.tensor(vectors, dtype=torch.float32))
    return SparseInner(queries, weighing, torch.full((len(vectors),), shift))


@settings(deadline=None)  # it counts what is right, not what is quick
@given(
    docs=st.lists(st.lists(CELL, min_size=5, max_size=5), max_size=12),
    queries=st.lists(st.lists(st.integers(-2, 2), min_size=7, max_size=7), min_size=1, max_size=3),
    k=st.integers(1, 15),
    allowed=st.none() | st.lists(st.booleans(), min_size=12, max_size=12),
    distance=st.booleans(),
)
def test_it_is_exhaustive_search(docs, queries, k, allowed, distance):
    # Whole numbers, whose sums are exact in any order; queries have two terms that no document has.
    docs = Sparse.of_dense(torch.tensor(docs, dtype=torch.float32).reshape(len(docs), 5))
    mask = None if allowed is None else torch.tensor(allowed[: docs.shape[0]], dtype=torch.bool)
    f = inner(queries, shift=0.5)
    f = SparseDistance(f.queries, as_stored) if distance else f
    found = STRATEGIES.build("inverted", docs=docs).search(f, k, mask)
    expected = STRATEGIES.build("exact", docs=docs).search(f, k, mask)
    assert torch.equal(found.rows, expected.rows)
    assert torch.equal(found.scores, expected.scores)


def test_it_pays_only_for_the_lists_of_the_query():
    docs = Sparse.of_dense(torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 2]]))
    search = STRATEGIES.build("inverted", docs=docs).search
    assert search(inner([[0, 1, 0]]), 2).scored == 1
    assert search(inner([[0, 1, 0], [1, 1, 0]]), 2).scored == 3
    assert search(inner([[1, 1, 1]]), 2).scored == 4
    assert search(inner([[0, 1, 0]]), 2, None, 1).rows.tolist() == [[1, 0]]
    with pytest.raises(InputError, match=r"inverted.*3(.|\n)*budget = 2"):
        search(inner([[1, 1, 0]]), 2, None, 2)
    with pytest.raises(InputError, match="budget = 0"):
        search(inner([[1, 1, 0]]), 2, None, 0)


def test_lists_are_made_again_only_for_another_weighing():
    made = []

    def doubled(docs):
        made.append(docs.shape)
        return docs.weighted(2 * docs.weights)

    docs = Sparse.of_dense(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    strategy = STRATEGIES.build("inverted", docs=docs)
    assert strategy.search(inner([[1, 0]], doubled), 1).scores.tolist() == [[6.0]]
    assert strategy.search(inner([[0, 1]], doubled), 1).scores.tolist() == [[8.0]]
    assert len(made) == 1
    assert strategy.search(inner([[1, 0]], normalized), 2).scores.flatten().tolist() == pytest.approx([1.0, 0.6])
    assert strategy.search(inner([[1, 0]], doubled), 1).scores.tolist() == [[6.0]]


def test_what_it_cannot_serve_is_refused_by_name():
    with pytest.raises(CapabilityError, match="inverted"):
        STRATEGIES.build("inverted", docs=Dense(torch.ones(2, 3)))
    docs = Sparse.of_dense(torch.ones(2, 3))
    with pytest.raises(CapabilityError, match=r"inverted(.|\n)*InnerProduct"):
        STRATEGIES.build("inverted", docs=docs).search(InnerProduct(torch.ones(1, 3)), 1)


def test_no_number_is_an_error():
    docs = Sparse.of_dense(torch.tensor([[1.0, 0.0], [float("nan"), 1.0]]))
    with pytest.raises(VectorError, match="row 1"):
        STRATEGIES.build("inverted", docs=docs).search(inner([[1, 0]]), 1)


def test_weights_in_a_byte_are_off_by_half_a_step_at_most():
    torch.manual_seed(0)
    vectors = torch.rand(200, 40) * (torch.rand(200, 40) < 0.2) * torch.linspace(0.1, 30, 40)
    vectors[:, 7] = torch.where(vectors[:, 7] > 0, 2.5, 0.0)  # one weight everywhere costs nothing
    docs, queries = Sparse.of_dense(vectors), torch.rand(9, 40) * (torch.rand(9, 40) < 0.3)
    queries[0] = 0
    queries[0, 7] = 3.0
    f = SparseInner(Sparse.of_dense(queries), as_stored, torch.zeros(9))
    exact = f(docs)
    found = STRATEGIES.build({"type": "inverted", "bits": 8}, docs=docs).search(f, 200)
    scores = torch.zeros(9, 200).scatter(1, found.rows, found.scores)
    low = torch.where(vectors > 0, vectors, torch.inf).amin(0)
    bound = (queries * (vectors.amax(0) - low) / 510).sum(1, keepdim=True)
    error = (scores - exact).abs()
    assert (error <= bound + 1e-4).all()
    assert error[1:].max() > 1e-4, "bytes are not exact"
    assert error[0].max() < 1e-5
    with pytest.raises(VectorError, match="byte"):
        STRATEGIES.build({"type": "inverted", "bits": 8}, docs=docs.weighted(docs.weights / 0)).search(f, 1)
