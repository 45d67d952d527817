"""The q-net of the Hypencoder paper: a multi-layer perceptron whose weights and biases the head writes.

Block order as in the released code (Killingback, Zeng and Zamani, SIGIR 2025): linear, activation, layer norm without
parameters, residual; no residual on the last hidden layer; a final linear map to one number without bias.

`scaled` is ours, for q-nets beside a linear part. It keeps every layer's numbers near 1 for unit vectors and makes the
network start as exactly zero, so that training starts from the inner product: inputs times sqrt(D), what the head
writes for a matrix over sqrt(fan-in), the output over sqrt(width), the last layer zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.hypernet.target import Slot
from hyperir.relevance.qnets.coarse import CoarseMLPFunction, coarse
from hyperir.relevance.qnets.fused import ACTIVATIONS, linear
from hyperir.relevance.qnets.gradient import gradient
from hyperir.relevance.vectors import inner

__all__ = ["MLP", "MLPFunction"]


class MLPConfig(Config):
    """Configuration of the perceptron q-net.

    Args:
        hidden: widths of the hidden layers, at least one.
        activation: after each hidden linear map.
        layer_norm: normalise each hidden layer, without learned parameters.
        residual: add a hidden layer's input to its output where the widths agree.
        residual_on_last: also on the last hidden layer.
        norm_before_residual: normalise before adding; else after.
        scaled: see the module's docstring; for use beside a linear part.
    """

    type: Literal["mlp"] = "mlp"
    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["relu", "leaky_relu", "gelu", "tanh", "sigmoid"] = "relu"
    layer_norm: bool = True
    residual: bool = True
    residual_on_last: bool = False
    norm_before_residual: bool = True
    scaled: bool = False


class MLP(nn.Module):
    """The network of one query; its own parameters are the start of the base that all queries share.

    Args:
        config: see :class:`MLPConfig`.
        width: D, the width of the documents' vectors.
    """

    Config = MLPConfig

    def __init__(self, config: MLPConfig, *, width: int) -> None:
        super().__init__()
        self.config = config
        widths = (width, *config.hidden)
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.output = nn.Linear(widths[-1], 1, bias=False)
        self.input_scale = math.sqrt(width) if config.scaled else 1.0
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.in_features))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if config.scaled:
            nn.init.zeros_(self.output.weight)

    @property
    def layers(self) -> list[nn.Linear]:
        return [*self.hidden, self.output]

    def slots(self) -> dict[str, Slot]:
        slots = {}
        for name, parameter in self.named_parameters():
            matrix = self.config.scaled and parameter.dim() > 1
            scale = 1 / math.sqrt(parameter.shape[-1]) if matrix else 1.0
            silent = self.config.scaled and name == "output.weight"
            slots[name] = Slot(parameter.detach().clone(), scale, silent)
        return slots

    def forward(self, x: Tensor) -> Tensor:
        """The definition: (N, D) -> (N,)."""
        x = self.input_scale * x
        for i, layer in enumerate(self.hidden):
            x = self.after_activation(i, x, self.activation(layer(x)))
        return self.output(x)[..., 0]  # type: ignore[no-any-return]

    def activation(self, y: Tensor) -> Tensor:
        """The activation of the hidden layers; may overwrite y."""
        return ACTIVATIONS[self.config.activation](y)

    def has_residual(self, i: int) -> bool:
        """Whether hidden block i adds its input to its output."""
        layer, last = self.layers[i], i == len(self.hidden) - 1
        wanted = self.config.residual and (self.config.residual_on_last or not last)
        return wanted and layer.in_features == layer.out_features

    def after_activation(self, i: int, x: Tensor, y: Tensor, scale: float = 1.0) -> Tensor:
        """The rest of hidden block i: y is the activation of its linear map of scale * x."""
        config = self.config
        if config.layer_norm and config.norm_before_residual:
            y = F.layer_norm(y, y.shape[-1:])
        if self.has_residual(i):
            y = torch.add(y, x, alpha=scale)
        if config.layer_norm and not config.norm_before_residual:
            y = F.layer_norm(y, y.shape[-1:])
        return y

    def function(self, parameters: Mapping[str, Tensor], base: Tensor | None) -> MLPFunction:
        """The functions of Q queries from parameters (Q, *shape) and an optional linear part (Q, D)."""
        matrices = [parameters[f"hidden.{i}.weight"] for i in range(len(self.hidden))]
        # Scaling the first matrix instead of every document; the residual past it is scaled in `after_activation`.
        matrices[0] = matrices[0] * self.input_scale
        biases = [parameters[f"hidden.{i}.bias"] for i in range(len(self.hidden))]
        return MLPFunction(self, tuple(matrices), tuple(biases), parameters["output.weight"][:, 0], base)


def sum_of(parts: Mapping[str, Tensor]) -> Tensor:
    """The parts of a function added up."""
    first, *rest = parts.values()
    for part in rest:
        first = first + part
    return first


@dataclass(frozen=True)
class MLPFunction:
    """f_q for Q queries: a perceptron each, plus <base_q, d> where there is a linear part.

    Args:
        net: how to put the layers together.
        matrices: one (Q, out, in) a hidden layer; not `weights`, which is the capability Linear.
        biases: one (Q, out) a hidden layer.
        output: (Q, width of the last hidden layer).
        base: (Q, D) or None.
    """

    net: MLP
    matrices: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    output: Tensor
    base: Tensor | None

    @property
    def num_queries(self) -> int:
        return self.output.shape[0]

    def __getitem__(self, queries: slice) -> MLPFunction:
        return MLPFunction(
            self.net,
            tuple(w[queries] for w in self.matrices),
            tuple(b[queries] for b in self.biases),
            self.output[queries],
            None if self.base is None else self.base[queries],
        )

    def to(self, dtype: torch.dtype) -> MLPFunction | CoarseMLPFunction:
        """The same functions with hidden layers in another type, for example `torch.bfloat16`, for a first pass.

        The output layer and the linear part stay as they are: scores that are themselves bfloat16 take so few values
        that ties decide the ranking.
        """
        if not self.output.is_cuda:
            return coarse(self, dtype)
        matrices, biases = (tuple(p.to(dtype) for p in layers) for layers in (self.matrices, self.biases))
        return MLPFunction(self.net, matrices, biases, self.output, self.base)

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        return sum_of(self.parts(docs))

    def parts(self, docs: Dense) -> dict[str, Tensor]:
        """The capability `Additive`: the linear part, where there is one, and the network."""
        network = self._network(docs)
        if self.base is None:
            return {"q-net": network}
        return {"inner product": inner(self.base, docs.vectors.to(self.base.dtype)), "q-net": network}

    def _network(self, docs: Dense) -> Tensor:
        x = docs.vectors.to(self.matrices[0].dtype)
        learning = torch.is_grad_enabled() and (self.output.requires_grad or x.requires_grad)
        # Without gradients a loop over queries wins: the block of documents and one query's layers stay in cache.
        return self._batched(x) if learning or x.dim() == 3 or x.is_cuda else self._looped(x)

    def _looped(self, x: Tensor) -> Tensor:
        queries, n = self.num_queries, x.shape[0]
        scores = torch.empty(queries, n, dtype=self.output.dtype, device=x.device)
        for q in range(queries):
            y = x
            for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
                scale = self.net.input_scale if i == 0 else 1.0
                hidden = linear(y, matrix[q], bias[q], self.net.config.activation)
                y = self.net.after_activation(i, y, hidden, scale)
            torch.mv(y.to(self.output.dtype), self.output[q], out=scores[q])
        return scores

    def _batched(self, x: Tensor) -> Tensor:
        y = x if x.dim() == 3 else x.expand(self.num_queries, -1, -1)
        for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            scale = self.net.input_scale if i == 0 else 1.0
            hidden = self.net.activation(torch.baddbmm(bias[:, None], y, matrix.transpose(1, 2)))
            y = self.net.after_activation(i, y, hidden, scale)
        return torch.einsum("qnh,qh->qn", y.to(self.output.dtype), self.output)

    def gradient(self, docs: Dense) -> Tensor:
        """df_q/dd at every document: (N,) -> (Q, N, D); (Q, K) -> (Q, K, D)."""
        return gradient(self, docs.vectors)
