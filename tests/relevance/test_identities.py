"""What a q-net is by algebra: known relevance functions rewritten as functions of the document (paper, 3.7)."""

import itertools

import pytest
import torch
from torch.nn import functional

from hyperir.core.docs import Dense
from hyperir.relevance.cosine import CosineSimilarity
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.l2 import NegativeDistance
from hyperir.relevance.qnets import QNETS

Q, N, D, W = 3, 11, 6, 4


@pytest.fixture
def world():
    torch.manual_seed(1)
    return torch.randn(Q, D, dtype=torch.float64), torch.randn(N, D, dtype=torch.float64)


def perceptron(hidden, **parameters):
    net = QNETS.build({"type": "mlp", "hidden": hidden, "layer_norm": False, "residual": False}, width=D).double()
    return net.function(parameters, None)


def test_dot_cosine_and_l2_are_their_definitions(world):
    q, d = world
    torch.testing.assert_close(InnerProduct(q)(Dense(d)), torch.einsum("qx,nx->qn", q, d))
    torch.testing.assert_close(CosineSimilarity(q)(Dense(d)), functional.cosine_similarity(q[:, None], d[None], dim=-1))
    torch.testing.assert_close(NegativeDistance(q)(Dense(d)), -(torch.cdist(q, d) ** 2))


def test_a_zero_vector_has_cosine_zero(world):
    q, _ = world
    assert CosineSimilarity(q)(Dense(torch.zeros(1, D, dtype=torch.float64))).tolist() == [[0.0]] * Q


def test_the_linear_qnet_is_the_inner_product(world):
    q, d = world
    net = QNETS.build("linear", width=D).double()
    torch.testing.assert_close(net.function({"weight": q}, None)(Dense(d)), q @ d.T)
    torch.testing.assert_close(net.function({"weight": q}, q)(Dense(d)), 2 * q @ d.T)


def test_l2_is_a_linear_qnet_over_lengthened_documents(world):
    q, d = world
    longer = torch.cat([d, (d**2).sum(-1, keepdim=True), torch.ones(N, 1, dtype=torch.float64)], 1)
    weight = torch.cat([2 * q, -torch.ones(Q, 1, dtype=torch.float64), -(q**2).sum(-1, keepdim=True)], 1)
    net = QNETS.build("linear", width=D + 2).double()
    torch.testing.assert_close(net.function({"weight": weight}, None)(Dense(longer)), NegativeDistance(q)(Dense(d)))


def test_a_network_over_the_concatenation_needs_only_a_written_bias(world):
    """MLP([d; q]), as in NCF: W [d; q] + b = W_d d + (W_q q + b)."""
    q, d = world
    w, b, out = (torch.randn(s, dtype=torch.float64) for s in ((W, 2 * D), (W,), (1, W)))
    pairs = torch.cat([d.expand(Q, N, D), q[:, None].expand(Q, N, D)], -1)
    expected = ((pairs @ w.T + b).relu() @ out.T)[..., 0]
    f = perceptron(
        (W,),
        **{
            "hidden.0.weight": w[:, :D].expand(Q, W, D),
            "hidden.0.bias": q @ w[:, D:].T + b,
            "output.weight": out.expand(Q, 1, W),
        },
    )
    torch.testing.assert_close(f(Dense(d)), expected)


def test_gmf_and_bilinear_are_linear_qnets(world):
    q, d = world
    h, m = torch.randn(D, dtype=torch.float64), torch.randn(D, D, dtype=torch.float64)
    net = QNETS.build("linear", width=D).double()
    gmf = ((q[:, None] * d[None]) * h).sum(-1)
    torch.testing.assert_close(net.function({"weight": h * q}, None)(Dense(d)), gmf)
    torch.testing.assert_close(net.function({"weight": q @ m}, None)(Dense(d)), torch.einsum("qx,xy,ny->qn", q, m, d))


def test_radon_points_that_no_inner_product_separates_but_a_qnet_does():
    """Paper, section 3: among h + 2 points of R^h some set of relevant ones is out of reach for every query vector.

    Exclusive or in the plane is the smallest case: h = 2, four points, the two relevant ones on one diagonal.
    """
    docs = torch.tensor([[0.0, 0], [1, 1], [0, 1], [1, 0]], dtype=torch.float64)
    relevant, other = (2, 3), (0, 1)
    # An inner product gives both diagonals the same sum, so never both relevant points above both others.
    for angle in torch.linspace(0, 2 * torch.pi, 721, dtype=torch.float64):
        scores = docs @ torch.stack([angle.cos(), angle.sin()])
        assert not all(scores[r] > scores[o] + 1e-9 for r, o in itertools.product(relevant, other))
    net = QNETS.build({"type": "mlp", "hidden": (2,), "layer_norm": False, "residual": False}, width=2).double()
    one = {
        "hidden.0.weight": torch.tensor([[[1.0, -1], [-1, 1]]], dtype=torch.float64),
        "hidden.0.bias": torch.zeros(1, 2, dtype=torch.float64),
        "output.weight": torch.ones(1, 1, 2, dtype=torch.float64),
    }
    scores = net.function(one, None)(Dense(docs))[0]
    assert all(scores[r] > scores[o] for r, o in itertools.product(relevant, other))
