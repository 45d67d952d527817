"""The smallest q-net: a written weight vector. What a Hypencoder becomes without hidden layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.hypernet.target import Slot
from hyperir.relevance.dot import InnerProduct

__all__ = ["LinearNet"]


class LinearConfig(Config):
    """Configuration of the linear q-net.

    Args:
        scaled: what the head writes is divided by sqrt(D) and starts as zero; for use beside a linear part, which then
            is where training starts.
    """

    type: Literal["linear"] = "linear"
    scaled: bool = False


class LinearNet(nn.Module):
    """f(d) = <w, d> with w written by the head: an inner product, and so served by any vector index.

    Args:
        config: see :class:`LinearConfig`.
        width: D, the width of the documents' vectors.
    """

    Config = LinearConfig

    def __init__(self, config: LinearConfig, *, width: int) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight

    def slots(self) -> dict[str, Slot]:
        scale = 1 / math.sqrt(len(self.weight)) if self.config.scaled else 1.0
        return {"weight": Slot(self.weight.detach().clone(), scale, self.config.scaled)}

    def function(self, parameters: Mapping[str, Tensor], base: Tensor | None) -> InnerProduct:
        """The inner product with w, or with base + w."""
        return InnerProduct(parameters["weight"] if base is None else base + parameters["weight"])
