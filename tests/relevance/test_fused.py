"""The one-pass linear map equals a product followed by its activation, wherever it is used or not."""

import pytest
import torch
from torch.nn import functional

from hyperir.relevance.qnets import fused

CASES = [(n, i, o) for n in (0, 1, 5, 300) for i in (1, 7, 384) for o in (1, 16, 65)]


def two_steps(x, weight, bias, activation):
    return fused.ACTIVATIONS[activation](functional.linear(x, weight, bias))


def inputs(n, i, o, dtype=torch.float32):
    torch.manual_seed(n + i + o)
    x, weight, bias = torch.randn(n, i), torch.randn(o, i) / i**0.5, torch.randn(o)
    return [x.to(dtype), weight.to(dtype), bias.to(dtype)]


@pytest.mark.parametrize("activation", fused.ACTIVATIONS)
def test_equals_two_steps(activation):
    for case in CASES:
        x, weight, bias = inputs(*case)
        torch.testing.assert_close(fused.linear(x, weight, bias, activation), two_steps(x, weight, bias, activation))


@pytest.mark.parametrize("activation", fused.ACTIVATIONS)
def test_equals_two_steps_in_bfloat16(activation):
    x, weight, bias = inputs(50, 64, 32, torch.bfloat16)
    expected = two_steps(x.float(), weight.float(), bias.float(), activation)
    got = fused.linear(x, weight, bias, activation)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), expected, rtol=2e-2, atol=6e-2)


def test_views_of_any_stride():
    x, weight, bias = inputs(40, 12, 6)
    for view in (x[::3], x.T.contiguous().T, x[:, :12]):
        expected = two_steps(view, weight, bias, "relu")
        torch.testing.assert_close(fused.linear(view, weight, bias, "relu"), expected)


def test_double_and_gradients_take_the_two_steps():
    x, weight, bias = inputs(5, 4, 3)
    double = fused.linear(x.double(), weight.double(), bias.double(), "tanh")
    torch.testing.assert_close(double, two_steps(x.double(), weight.double(), bias.double(), "tanh"))
    weight.requires_grad_()
    fused.linear(x, weight, bias, "relu").sum().backward()
    assert weight.grad is not None


def test_a_pytorch_without_the_kernel_does_without(monkeypatch):
    fused._kernel.cache_clear()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    x, weight, bias = inputs(5, 4, 3)
    assert fused._kernel(torch.float32) is None
    torch.testing.assert_close(fused.linear(x, weight, bias, "gelu"), two_steps(x, weight, bias, "gelu"))
    fused._kernel.cache_clear()
