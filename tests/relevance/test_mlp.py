"""The perceptron q-net against a loop written out from the paper's equations, for every setting."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from hyperir.core.docs import Dense
from hyperir.relevance.qnets import QNETS
from hyperir.relevance.qnets.coarse import CoarseMLPFunction

ACTIVATIONS = {
    "relu": lambda v: v.clamp_min(0),
    "leaky_relu": lambda v: torch.where(v > 0, v, 0.01 * v),
    "gelu": lambda v: v * 0.5 * (1 + torch.erf(v / math.sqrt(2))),
    "tanh": lambda v: 2 / (1 + torch.exp(-2 * v)) - 1,
    "sigmoid": lambda v: 1 / (1 + torch.exp(-v)),
}


def norm(v):
    return (v - v.mean()) / torch.sqrt(((v - v.mean()) ** 2).mean() + 1e-5)


def written_out(config, parameters, base, d):
    """Score of one document under one query's parameters, one step at a time."""
    x = d * (math.sqrt(len(d)) if config.get("scaled") else 1)
    layers = len(config["hidden"])
    for i in range(layers):
        y = parameters[f"hidden.{i}.weight"] @ x + parameters[f"hidden.{i}.bias"]
        y = ACTIVATIONS[config["activation"]](y)
        if config["layer_norm"] and config["norm_before_residual"]:
            y = norm(y)
        wanted = config["residual"] and (i < layers - 1 or config["residual_on_last"])
        if wanted and len(x) == len(y):
            y = y + x
        if config["layer_norm"] and not config["norm_before_residual"]:
            y = norm(y)
        x = y
    return parameters["output.weight"][0] @ x + (0 if base is None else base @ d)


SETTINGS = [
    {
        "type": "mlp",
        "hidden": hidden,
        "activation": activation,
        "layer_norm": layer_norm,
        "residual": residual,
        "residual_on_last": last,
        "norm_before_residual": before,
        "scaled": scaled,
    }
    for hidden, activation, layer_norm, (residual, last), before, scaled in itertools.product(
        [(6, 6), (6, 4, 4), (6,)],
        ["relu", "leaky_relu", "gelu", "tanh", "sigmoid"],
        [True, False],
        [(True, False), (True, True), (False, False)],
        [True, False],
        [True, False],
    )
]


@pytest.mark.parametrize("hidden", [(6, 6), (6, 4, 4), (6,)], ids=str)
def test_equals_the_loop_in_every_setting(hidden):
    torch.manual_seed(0)
    docs = torch.randn(5, 6, dtype=torch.float64)
    base = torch.randn(2, 6, dtype=torch.float64)
    for config in (c for c in SETTINGS if c["hidden"] == hidden):
        net = QNETS.build(config, width=6).double()
        written = {n: torch.randn(2, *s.shape, dtype=torch.float64) for n, s in net.slots().items()}
        own = docs[torch.tensor([[0, 3, 1], [4, 4, 2]])]
        for linear in (None, base):
            expected = torch.stack(
                [
                    torch.stack(
                        [
                            written_out(
                                config,
                                {n: v[q] for n, v in written.items()},
                                linear if linear is None else linear[q],
                                d,
                            )
                            for d in docs
                        ]
                    )
                    for q in range(2)
                ]
            )
            f = net.function(written, linear)
            with torch.no_grad():
                torch.testing.assert_close(f(Dense(docs)), expected)  # the loop over queries, as in search
            leaf = {n: v.clone().requires_grad_() for n, v in written.items()}
            learning = net.function(leaf, linear)(Dense(docs))  # the batched path, as in training
            torch.testing.assert_close(learning, expected)
            picked = expected.gather(1, torch.tensor([[0, 3, 1], [4, 4, 2]]))
            torch.testing.assert_close(f(Dense(own)), picked)


def test_scaled_starts_as_the_inner_product_whatever_the_head_writes():
    from hyperir.core.docs import States
    from hyperir.relevance import RELEVANCE

    states = States(
        torch.randn(3, 5, 16), torch.ones(3, 5, dtype=torch.bool), functional.normalize(torch.randn(3, 12), dim=-1)
    )
    docs = Dense(functional.normalize(torch.randn(9, 12), dim=-1))
    for head in ("attention", "pooled"):
        spec = {"type": "hyper", "linear": True, "head": head, "qnet": {"type": "mlp", "scaled": True}}
        f = RELEVANCE.build(spec, width=12, state_width=16)(states)
        assert torch.equal(f(docs), states.pooled @ docs.vectors.T)


def test_scaled_keeps_wide_layers_near_one():
    """Without the scaling, 384-wide networks beside a linear part diverged in training."""
    net = QNETS.build({"type": "mlp", "hidden": (384, 384), "scaled": True, "layer_norm": False}, width=384)
    x = functional.normalize(torch.randn(200, 384), dim=-1) * net.input_scale
    for i, layer in enumerate(net.hidden):
        x = net.after_activation(i, x, net.activation(layer(x)))
        assert 0.3 < x.square().mean().sqrt() < 3


def test_bfloat16_hidden_layers_keep_float32_scores():
    torch.manual_seed(0)
    net = QNETS.build({"type": "mlp", "hidden": (64, 64)}, width=32)
    f = net.function(
        {n: torch.randn(2, *s.shape) / s.shape[-1] ** 0.5 for n, s in net.slots().items()}, torch.randn(2, 32)
    )
    docs = Dense(torch.randn(4000, 32))
    full, half = f(docs), f.to(torch.bfloat16)(docs)
    assert half.dtype == torch.float32
    assert len(half[0].unique()) > 3900
    assert torch.corrcoef(torch.stack([full[0], half[0]]))[0, 1] > 0.999


@pytest.mark.parametrize("hidden", [(8,), (8, 8), (12, 12, 12), (8, 8, 5)])
@pytest.mark.parametrize("layer_norm", [True, False])
@pytest.mark.parametrize(
    "residual", [{"residual": False}, {}, {"residual_on_last": True}, {"norm_before_residual": False}]
)
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_layer_norms_folded_into_the_next_layer_compute_the_same(hidden, layer_norm, residual, activation):
    """A first pass in float64 is the definition, so that only the coarser type makes it coarse."""
    torch.manual_seed(0)
    spec = {"type": "mlp", "hidden": hidden, "layer_norm": layer_norm, "activation": activation, **residual}
    net = QNETS.build(spec, width=12).double()
    written = {n: torch.randn(3, *s.shape, dtype=torch.float64) for n, s in net.slots().items()}
    f = net.function(written, torch.randn(3, 12, dtype=torch.float64))
    first = f.to(torch.float64)
    docs, own = (Dense(torch.randn(*shape, 12, dtype=torch.float64)) for shape in ((20,), (3, 5)))
    assert isinstance(first, CoarseMLPFunction)
    assert first.folded[-1] == (layer_norm and not net.has_residual(len(hidden) - 1))
    for x in (docs, own):
        torch.testing.assert_close(first(x), f(x), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(first[1:2](docs), f(docs)[1:2], rtol=1e-9, atol=1e-9)


def test_a_first_pass_gives_numbers_where_nothing_varies():
    net = QNETS.build({"type": "mlp", "hidden": (16, 16)}, width=8)
    written = {n: torch.full((1, *s.shape), 3.0) for n, s in net.slots().items()}
    scores = net.function(written, None).to(torch.bfloat16)(Dense(1e3 * torch.rand(50, 8)))
    assert scores.isfinite().all()


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("hidden", [(6, 6), (6, 4, 4), (6,)], ids=str)
def test_the_gradient_is_that_of_autograd_in_every_setting(hidden, queries):
    torch.manual_seed(0)
    docs = torch.randn(5, 6, dtype=torch.float64)
    own = docs[torch.tensor([[0, 3, 1], [4, 4, 2]])[:queries]]
    base = torch.randn(queries, 6, dtype=torch.float64)
    for config in (c for c in SETTINGS if c["hidden"] == hidden):
        net = QNETS.build(config, width=6).double()
        written = {n: torch.randn(queries, *s.shape, dtype=torch.float64) for n, s in net.slots().items()}
        for linear in (None, base):
            f = net.function(written, linear)
            for given, shape in ((docs, (queries, 5, 6)), (own, own.shape)):
                x = given.expand(shape).clone().requires_grad_()
                expected = torch.autograd.grad(f(Dense(x)).sum(), x)[0]
                torch.testing.assert_close(f.gradient(Dense(given)), expected, rtol=1e-10, atol=1e-10)
                with torch.inference_mode():
                    torch.testing.assert_close(f.gradient(Dense(given)), expected, rtol=1e-10, atol=1e-10)
