"""Regularisers against formulas written out."""

import pytest
import torch

from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.relevance.cosine import CosineSimilarity
from hyperir.relevance.dot import InnerProduct
from hyperir.train.laws import make_encoded
from hyperir.train.regularisers import REGULARISERS
from hyperir.train.regularisers.encoded import Encoded

Q, K, D = 2, 3, 4


@pytest.fixture
def encoded():
    torch.manual_seed(0)
    queries, vectors = torch.randn(Q, D).double().requires_grad_(), torch.randn(Q, K, D).double().requires_grad_()
    return Encoded(InnerProduct(queries), Dense(vectors), queries)


def flops(rows):
    return sum((sum(abs(row[j]) for row in rows) / len(rows)) ** 2 for j in range(len(rows[0])))


def l1(rows):
    return sum(sum(abs(x) for x in row) for row in rows) / len(rows)


@pytest.mark.parametrize(("name", "formula"), [("flops", flops), ("l1", l1)])
def test_terms_of_vectors_are_their_formulas(encoded, name, formula):
    queries = encoded.queries.tolist()
    documents = encoded.docs.vectors.flatten(0, 1).tolist()
    expected = {"query": formula(queries), "document": formula(documents)}
    expected["both"] = sum(expected.values())
    for sides, value in expected.items():
        term = REGULARISERS.build({"type": name, "weight": 0.5, "sides": sides})
        assert term(encoded, 1).item() == pytest.approx(0.5 * value)


def test_flops_squares_the_mean_and_not_the_values():
    """Four texts that share one dimension cost as much as one; each in its own, a quarter."""
    together, apart = torch.eye(4)[[0, 0, 0, 0]], torch.eye(4)
    term = REGULARISERS.build({"type": "flops", "weight": 1.0, "sides": "document"})
    costs = [term(Encoded(InnerProduct(x), Dense(x[:, None])), 1).item() for x in (together, apart)]
    assert costs == pytest.approx([1.0, 0.25])


def test_a_side_without_vectors_is_refused(encoded):
    with pytest.raises(InputError, match="no vectors of queries"):
        REGULARISERS.build({"type": "l1", "weight": 1.0})(Encoded(encoded.f, encoded.docs), 1)


def test_written_decay_is_its_formula():
    encoded, _ = make_encoded()
    without = sum(w.square().sum() for w in encoded.written.values() if w.dim() > 2) / encoded.f.num_queries
    whole = sum(w.square().sum() for w in encoded.written.values()) / encoded.f.num_queries
    assert without < whole
    for biases, value in ((False, without), (True, whole)):
        term = REGULARISERS.build({"type": "written_decay", "weight": 1.0, "biases": biases})
        torch.testing.assert_close(term(encoded, 1), value)


def test_written_decay_needs_something_written(encoded):
    with pytest.raises(InputError, match="nothing is written"):
        REGULARISERS.build({"type": "written_decay", "weight": 1.0})(encoded, 1)


def test_an_inner_product_is_flat(encoded):
    value = REGULARISERS.build({"type": "flatness", "weight": 1.0, "epsilon": 0.1})(encoded, 1)
    assert value.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("differentiable", [True, False])
def test_flatness_is_its_formula(differentiable):
    """Of the cosine, whose gradient is written out here."""
    torch.manual_seed(0)
    queries, vectors = torch.randn(Q, D).double(), torch.randn(Q, K, D).double()
    f = CosineSimilarity(queries) if differentiable else _Opaque(CosineSimilarity(queries))
    value = REGULARISERS.build({"type": "flatness", "weight": 2.0, "epsilon": 0.05})(Encoded(f, Dense(vectors)), 1)
    total = 0.0
    for q, docs in zip(queries, vectors, strict=True):
        unit = q / q.norm()
        here, there = [], []
        for d in docs:
            cosine = unit @ d / d.norm()
            step = 0.05 * ((unit - cosine * d / d.norm()) / d.norm()).sign()
            here.append(cosine)
            there.append(unit @ (d + step) / (d + step).norm())
        p, r = torch.stack(here).softmax(0), torch.stack(there).softmax(0)
        total += (p * (p / r).log()).sum().item()
    assert value.item() == pytest.approx(2.0 * total / Q)
    assert total > 1e-6


class _Opaque:
    """A function without the capability Differentiable."""

    def __init__(self, f):
        self.f = f

    def __call__(self, docs):
        return self.f(docs)


def test_learning_flatness_makes_a_function_flatter():
    """A few steps on the term alone: a small move changes the distribution less."""
    torch.manual_seed(0)
    queries = torch.nn.Parameter(torch.randn(Q, D))
    vectors = torch.randn(Q, K, D)
    term = REGULARISERS.build({"type": "flatness", "weight": 1.0, "epsilon": 0.1})
    optimiser = torch.optim.SGD([queries], lr=1.0)
    values = []
    for _ in range(20):
        value = term(Encoded(_Curved(queries), Dense(vectors)), 1)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2


class _Curved:
    """f(d) = <q, d>^2."""

    def __init__(self, queries):
        self.queries = queries

    def __call__(self, docs):
        return InnerProduct(self.queries)(docs).square()
