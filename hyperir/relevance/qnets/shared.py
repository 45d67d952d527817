"""A q-net whose matrices all queries share: what documents go through is learned once, what is read off is written.

Every query has the output weights of its own over the same hidden units, f_q(d) = <v_q, h(d)>: an inner product with
vectors that the network makes of the documents. With `rows`, the query also scales and shifts every hidden unit before
its activation, which is how hypernetworks for large networks save their outputs (Ha, Dai and Le, "HyperNetworks", ICLR
2017, section 3.2: a vector that scales the rows of a matrix).

A query writes so little that there is little to fit to single documents, and the first product, which costs most, is
computed once for all queries. As `MLP` with `scaled`, it takes inputs times sqrt(D) and starts as exactly zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.hypernet.target import Slot
from hyperir.relevance.qnets.fused import ACTIVATIONS
from hyperir.relevance.qnets.gradient import BACK
from hyperir.relevance.vectors import inner

__all__ = ["SharedFunction", "SharedNet"]


class SharedConfig(Config):
    """Configuration of the q-net with shared matrices.

    Args:
        hidden: widths of the hidden layers, at least one.
        activation: after each hidden linear map.
        rows: the query scales and shifts every hidden unit; else it writes output weights only.
    """

    type: Literal["shared"] = "shared"
    hidden: tuple[int, ...] = (256,)
    activation: Literal["relu", "leaky_relu", "gelu", "tanh", "sigmoid"] = "relu"
    rows: bool = False


class SharedNet(nn.Module):
    """The network of one query.

    Args:
        config: see :class:`SharedConfig`.
        width: D, the width of the documents' vectors.
    """

    Config = SharedConfig

    def __init__(self, config: SharedConfig, *, width: int) -> None:
        super().__init__()
        self.config = config
        self.input_scale = math.sqrt(width)
        widths = (width, *config.hidden)
        self.hidden = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.output = nn.Parameter(torch.zeros(1, widths[-1]))
        self.scales = nn.ParameterList(torch.ones(o) for o in config.hidden if config.rows)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=math.sqrt(2 / layer.in_features))
            nn.init.zeros_(layer.bias)

    @property
    def layers(self) -> list[nn.Linear]:
        return [*self.hidden]

    def slots(self) -> dict[str, Slot]:
        slots = {}
        for name, parameter in self.named_parameters():
            value = parameter.detach().clone()
            if name == "output":
                slots[name] = Slot(value, 1 / math.sqrt(value.shape[-1]), silent=True)
            else:
                slots[name] = Slot(value, shared=name.endswith("weight") or not self.config.rows, silent=True)
        return slots

    def forward(self, x: Tensor) -> Tensor:
        """The definition: (N, D) -> (N,)."""
        y = self.input_scale * x
        for i, layer in enumerate(self.layers):
            y = y @ layer.weight.T
            if self.config.rows:
                y = y * self.scales[i]
            y = ACTIVATIONS[self.config.activation](y + layer.bias)
        return y @ self.output[0]

    def function(self, parameters: Mapping[str, Tensor], base: Tensor | None) -> SharedFunction:
        """The functions of Q queries from parameters (Q, *shape), shared ones the same for all, and a linear part."""
        layers, rows = range(len(self.hidden)), self.config.rows
        matrices = [parameters[f"hidden.{i}.weight"][0] for i in layers]
        matrices[0] = matrices[0] * self.input_scale
        biases = [parameters[f"hidden.{i}.bias"] for i in layers]
        return SharedFunction(
            self.config.activation,
            tuple(matrices),
            tuple(biases if rows else (bias[:1] for bias in biases)),
            tuple(parameters[f"scales.{i}"] for i in layers) if rows else (),
            parameters["output"][:, 0],
            base,
        )


@dataclass(frozen=True)
class SharedFunction:
    """f_q for Q queries over the same hidden layers.

    Args:
        activation: a name in `ACTIVATIONS`.
        matrices: one (out, in) a hidden layer, of all queries.
        biases: one a hidden layer, (1, out) of all queries or (Q, out).
        scales: one (Q, out) a hidden layer; empty where queries do not scale.
        output: (Q, width of the last hidden layer).
        base: (Q, D) or None.
    """

    activation: str
    matrices: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    scales: tuple[Tensor, ...]
    output: Tensor
    base: Tensor | None

    @property
    def num_queries(self) -> int:
        return self.output.shape[0]

    def __getitem__(self, queries: slice) -> SharedFunction:
        return SharedFunction(
            self.activation,
            self.matrices,
            tuple(b[queries] for b in self.biases) if self.scales else self.biases,
            tuple(s[queries] for s in self.scales),
            self.output[queries],
            None if self.base is None else self.base[queries],
        )

    def to(self, dtype: torch.dtype) -> SharedFunction:
        """The same with hidden layers in another type; output and linear part stay, as of `MLPFunction`."""
        matrices, biases, scales = (
            tuple(p.to(dtype) for p in layers) for layers in (self.matrices, self.biases, self.scales)
        )
        return SharedFunction(self.activation, matrices, biases, scales, self.output, self.base)

    def __call__(self, docs: Dense) -> Tensor:
        """(N,) -> (Q, N); (Q, K) -> (Q, K)."""
        network, *rest = self.parts(docs).values()
        return network + rest[0] if rest else network

    def parts(self, docs: Dense) -> dict[str, Tensor]:
        """The capability `Additive`: the network, and the linear part where there is one."""
        hidden = self._layers(docs)[-1][1].to(self.output.dtype)
        shared = hidden.dim() == 2
        network = inner(self.output, hidden) if shared else torch.einsum("qkh,qh->qk", hidden, self.output)
        if self.base is None:
            return {"q-net": network}
        return {"q-net": network, "inner product": inner(self.base, docs.vectors.to(self.base.dtype))}

    def _layers(self, docs: Dense) -> list[tuple[Tensor, Tensor]]:
        """Argument and result of every activation: (N, out) where queries share them, else (Q, N or K, out)."""
        y = docs.vectors.to(self.matrices[0].dtype)
        layers = []
        for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            y = y @ matrix.T
            z = y * self.scales[i][:, None] + bias[:, None] if self.scales else y + bias[0]
            y = ACTIVATIONS[self.activation](z)
            layers.append((z, y))
        return layers

    def gradient(self, docs: Dense) -> Tensor:
        """df_q/dd at every document, in closed form: (N,) -> (Q, N, D); (Q, K) -> (Q, K, D)."""
        with torch.no_grad():
            layers = self._layers(docs)
            g = self.output.to(layers[-1][0].dtype)[:, None].expand(-1, docs.vectors.shape[-2], -1)
            for i in reversed(range(len(layers))):
                z, y = (part.expand_as(g) for part in layers[i])
                g = BACK[self.activation](g, z, y)
                if self.scales:
                    g = g * self.scales[i][:, None]
                g = g @ self.matrices[i]
            g = g.to(self.output.dtype)
            return g if self.base is None else g + self.base[:, None]
