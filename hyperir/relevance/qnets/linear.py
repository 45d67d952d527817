"""The smallest q-net: a written weight vector. What a Hypencoder becomes without hidden layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.hypernet.target import Slot
from hyperir.relevance.dot import InnerProduct

__all__ = ["LinearNet"]


class LinearConfig(Config):
    """The linear q-net has no options."""

    type: Literal["linear"] = "linear"


class LinearNet(nn.Module):
    """f(d) = <w, d> with w written by the head: an inner product, and so served by any vector index.

    Args:
        config: see :class:`LinearConfig`.
        width: D, the width of the documents' vectors.
    """

    Config = LinearConfig

    def __init__(self, config: LinearConfig, *, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight

    def slots(self) -> dict[str, Slot]:
        return {"weight": Slot(self.weight.detach().clone())}

    def function(self, parameters: Mapping[str, Tensor], base: Tensor | None) -> InnerProduct:
        """The inner product with w, or with base + w."""
        return InnerProduct(parameters["weight"] if base is None else base + parameters["weight"])
