"""The gradient of a perceptron at documents, in closed form: once forward, keeping what the way back needs, and back.

Autograd records a graph of every small product and frees it again, which takes several times as long as the products
themselves where a search asks for the gradient at one or two documents. The steps back through an activation and a
layer norm are PyTorch's own kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from hyperir.relevance.qnets.fused import ACTIVATIONS

if TYPE_CHECKING:
    from hyperir.relevance.qnets.mlp import MLPFunction

__all__ = ["gradient"]

aten = torch.ops.aten
EPSILON = 1e-5  # as `torch.nn.functional.layer_norm` has it

# How a gradient goes back through each activation: what comes after it, its argument where it was not overwritten, and
# its result.
BACK: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "relu": lambda g, z, y: aten.threshold_backward(g, y, 0),
    "leaky_relu": lambda g, z, y: aten.leaky_relu_backward(g, y, 0.01, True),
    "gelu": lambda g, z, y: aten.gelu_backward(g, z),
    "tanh": lambda g, z, y: aten.tanh_backward(g, y),
    "sigmoid": lambda g, z, y: aten.sigmoid_backward(g, y),
}


class _Norm(NamedTuple):
    """A layer norm as it was computed."""

    given: Tensor
    mean: Tensor
    rstd: Tensor

    def back(self, g: Tensor) -> Tensor:
        """The gradient before it."""
        sides = [True, False, False]
        parts = aten.native_layer_norm_backward(g, self.given, g.shape[-1:], self.mean, self.rstd, None, None, sides)
        before: Tensor = parts[0]
        return before


class _Block(NamedTuple):
    """A hidden block as it was computed."""

    linear: Tensor  # the activation's argument; overwritten where its derivative needs only the result
    active: Tensor  # the activation's result
    norm: _Norm | None
    skipped: float  # how much of the block's input was added to it


def gradient(f: MLPFunction, vectors: Tensor) -> Tensor:
    """df_q/dd at every document. The functions' own parameters get no gradient.

    Args:
        f: the functions of Q queries.
        vectors: (N, D) documents that all queries share, or (Q, K, D) of their own.

    Returns:
        (Q, N, D) or (Q, K, D), in the type of `f.output`.
    """
    x = vectors.to(f.matrices[0].dtype)
    own = x if x.dim() == 3 else x.expand(f.num_queries, -1, -1)
    with torch.no_grad():
        if f.num_queries == 1:  # no batch of products for one query, which is slower
            matrices, biases = [w[0] for w in f.matrices], [b[0] for b in f.biases]
            inner = _network(f, own[0], matrices, biases, f.output[0], torch.addmm)[None]
        else:
            biases = [b[:, None] for b in f.biases]
            inner = _network(f, own, list(f.matrices), biases, f.output[:, None], torch.baddbmm)
        inner = inner.to(f.output.dtype)
        return inner if f.base is None else inner + f.base[:, None]


def _network(
    f: MLPFunction,
    x: Tensor,
    matrices: list[Tensor],
    biases: list[Tensor],
    output: Tensor,
    multiply: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Tensor:
    """The gradient of the network without the linear part.

    Args:
        f: how the layers are put together.
        x: (..., K, D).
        matrices: (..., out, in), one a hidden layer.
        biases: (..., 1 or none, out).
        output: (..., 1 or none, width of the last hidden layer).
        multiply: a product of what has these shapes, added to the first.
    """
    config = f.net.config
    activation, back = ACTIVATIONS[config.activation], BACK[config.activation]
    blocks = []
    for i, (matrix, bias) in enumerate(zip(matrices, biases, strict=True)):
        linear = multiply(bias, x, matrix.mT)
        active = y = activation(linear)
        norm: _Norm | None = None
        skipped = (f.net.input_scale if i == 0 else 1.0) if f.net.has_residual(i) else 0.0
        if config.layer_norm and config.norm_before_residual:
            y, norm = _normed(y)
        if skipped:
            y = torch.add(y, x, alpha=skipped)
        if config.layer_norm and not config.norm_before_residual:
            y, norm = _normed(y)
        blocks.append(_Block(linear, active, norm, skipped))
        x = y
    g = output.to(x.dtype).expand_as(x)
    for matrix, block in zip(reversed(matrices), reversed(blocks), strict=True):
        if block.norm is not None and not config.norm_before_residual:
            g = block.norm.back(g)
        past = g
        if block.norm is not None and config.norm_before_residual:
            g = block.norm.back(g)
        g = torch.matmul(back(g, block.linear, block.active), matrix)
        if block.skipped:
            g = torch.add(g, past, alpha=block.skipped)
    return g


def _normed(y: Tensor) -> tuple[Tensor, _Norm]:
    normed, mean, rstd = torch.native_layer_norm(y, y.shape[-1:], None, None, EPSILON)
    return normed, _Norm(y, mean, rstd)
