"""The q-net with shared matrices against loops, and the linear part that a head writes."""

import itertools
import math

import pytest
import torch

from hyperir.core.docs import Dense, States
from hyperir.core.types import Differentiable, Linear
from hyperir.hypernet import Hypernetwork
from hyperir.relevance import RELEVANCE
from hyperir.relevance.qnets import QNETS
from tests.relevance.test_mlp import ACTIVATIONS

Q, N, D = 3, 7, 6


def written_out(config, parameters, q, d):
    """Score of one document under query q, one unit at a time."""
    x = [math.sqrt(len(d)) * value for value in d]
    for i, width in enumerate(config["hidden"]):
        units = []
        for unit in range(width):
            z = sum(parameters[f"hidden.{i}.weight"][0][unit][j] * x[j] for j in range(len(x)))
            if config["rows"]:
                z = z * parameters[f"scales.{i}"][q][unit]
            bias = parameters[f"hidden.{i}.bias"][q if config["rows"] else 0][unit]
            units.append(ACTIVATIONS[config["activation"]](z + bias))
        x = units
    return sum(weight * unit for weight, unit in zip(parameters["output"][q][0], x, strict=True))


@pytest.mark.parametrize(("hidden", "rows"), list(itertools.product([(5,), (5, 4)], [False, True])))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_scores_and_gradients_are_those_written_out(hidden, rows, activation):
    torch.manual_seed(0)
    config = {"type": "shared", "hidden": hidden, "rows": rows, "activation": activation}
    net = QNETS.build(config, width=D)
    slots = net.slots()
    assert {name for name, slot in slots.items() if slot.shared} == {
        name for name in slots if name.endswith("weight") or (name.endswith("bias") and not rows)
    }
    parameters = {
        name: torch.randn(1 if slot.shared else Q, *slot.shape, dtype=torch.float64).expand(Q, *slot.shape)
        for name, slot in slots.items()
    }
    base = torch.randn(Q, D, dtype=torch.float64)
    docs = torch.randn(N, D, dtype=torch.float64, requires_grad=True)
    f = net.function(parameters, base)
    expected = torch.stack(
        [torch.stack([written_out(config, parameters, q, d) + base[q] @ d for d in docs]) for q in range(Q)]
    )
    torch.testing.assert_close(f(Dense(docs)), expected)
    assert isinstance(f, Differentiable)
    (slope,) = torch.autograd.grad(expected[1].sum(), docs)
    torch.testing.assert_close(f.gradient(Dense(docs.detach()))[1], slope)


def test_without_rows_it_is_an_inner_product_with_what_the_network_makes_of_documents():
    torch.manual_seed(0)
    net = QNETS.build("shared", width=D)
    hypernetwork = Hypernetwork("pooled", net.slots(), width=4)
    with torch.no_grad():
        hypernetwork.head.write.weight.normal_()
    written = hypernetwork(torch.randn(Q, 2, 4), torch.ones(Q, 2, dtype=torch.bool))
    docs = torch.randn(N, D)
    first = hypernetwork.base["hidden/0/weight"]
    hidden = torch.relu(math.sqrt(D) * docs @ first.T + hypernetwork.base["hidden/0/bias"])
    f = net.function(written, None)
    torch.testing.assert_close(f(Dense(docs)), written["output"][:, 0] @ hidden.T)
    assert len(hypernetwork.head.sizes) == 1, "the head writes the output weights and nothing else"


def test_bfloat16_layers_rank_nearly_alike():
    torch.manual_seed(0)
    net = QNETS.build({"type": "shared", "rows": True, "hidden": (32, 16)}, width=64)
    slots = net.slots().items()
    parameters = {
        name: torch.randn(1 if slot.shared else Q, *slot.shape).expand(Q, *slot.shape) for name, slot in slots
    }
    docs = Dense(torch.nn.functional.normalize(torch.randn(500, 64), dim=-1))
    f = net.function(parameters, None)
    assert f.to(torch.bfloat16)(docs).dtype == torch.float32
    wanted, got = f(docs).topk(10).indices, f.to(torch.bfloat16)(docs).topk(20).indices
    assert all(set(a.tolist()) <= set(b.tolist()) for a, b in zip(wanted, got, strict=True))


@pytest.mark.parametrize("qnet", [{"type": "linear", "scaled": True}, "shared", {"type": "mlp", "scaled": True}])
def test_a_written_linear_part_starts_as_the_inner_product_and_can_leave_it(qnet):
    torch.manual_seed(0)
    relevance = {"type": "hyper", "qnet": qnet, "linear": "written"}
    module = RELEVANCE.build(relevance, width=D, state_width=8)
    states = States(torch.randn(Q, 4, 8), torch.ones(Q, 4, dtype=torch.bool), torch.randn(Q, D))
    docs = Dense(torch.randn(N, D))
    inner = states.pooled @ docs.vectors.T
    torch.testing.assert_close(module(states)(docs), inner)
    (module(states)(docs) * torch.randn(Q, N)).sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0 if parameter.grad is None else parameter.grad
    f = module(states)
    moved = f.weights if isinstance(f, Linear) else f.base
    assert (moved - states.pooled).norm() > 0.1
