"""Trained weights averaged with those before."""

import pytest
import torch
from torch import nn

from hyperir.core.errors import InputError
from hyperir.train.averaging import average, remember


def trained():
    """A layer, what it was, and what it became; its bias stays."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    before = remember(layer)
    with torch.no_grad():
        layer.weight.add_(torch.randn(2, 3))
    return layer, before, layer.weight.detach().clone()


def test_it_is_the_weighted_mean():
    layer, before, after = trained()
    bias = layer.bias.clone()
    average(layer, before, 0.25)
    torch.testing.assert_close(layer.weight.detach(), 0.25 * after + 0.75 * before["weight"])
    assert list(before) == ["weight"]
    assert torch.equal(layer.bias, bias)


def test_the_ends_are_before_and_after():
    layer, before, after = trained()
    average(layer, before, 1.0)
    assert torch.equal(layer.weight, after)
    average(layer, before, 0.0)
    assert torch.equal(layer.weight, before["weight"])


def test_what_does_not_fit_is_refused():
    layer, before, _ = trained()
    with pytest.raises(InputError, match="0 to 1"):
        average(layer, before, 1.5)
    with pytest.raises(InputError, match="not of this model"):
        average(nn.Linear(4, 2), before, 0.5)
