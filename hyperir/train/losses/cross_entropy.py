"""Cross-entropy: the own positive against everything that was scored."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from hyperir.core.config import Config

__all__ = ["CrossEntropy"]


class CrossEntropyConfig(Config):
    """Configuration of the cross-entropy.

    Args:
        temperature: scores are divided by it.
    """

    type: Literal["cross_entropy"] = "cross_entropy"
    temperature: float = Field(default=1.0, gt=0)


class CrossEntropy(nn.Module):
    """Mean over queries of -log softmax(scores / temperature) at the own first item.

    Args:
        config: see :class:`CrossEntropyConfig`.
    """

    Config = CrossEntropyConfig

    def __init__(self, config: CrossEntropyConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        scores = scores / self.config.temperature
        positive = scores[:, :, 0].diagonal()
        return (torch.logsumexp(scores.flatten(1), 1) - positive).mean()
