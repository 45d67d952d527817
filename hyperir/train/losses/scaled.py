"""A scale for functions that have none: cosines lie within -1 and 1, and margins of a teacher do not."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field, SerializeAsAny
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses import LOSSES

__all__ = ["Scaled", "ScaledConfig"]


class ScaledConfig(Config):
    """Configuration of a scaled loss.

    Args:
        of: the loss, a member of `LOSSES` by name or configuration.
        temperature: scores are divided by it; 0.05 is usual for cosines under the cross-entropy.
        learn: the scale is learned, starting at 1 / temperature; it stays above 0.
        bias: also a learned number, starting at 0, is added. Losses that compare scores do not notice it.
    """

    type: Literal["scaled"] = "scaled"
    of: Annotated[SerializeAsAny[Config], BeforeValidator(LOSSES.parse)]
    temperature: float = Field(1.0, gt=0)
    learn: bool = True
    bias: bool = False


class Scaled(nn.Module):
    """loss(scale * scores + bias, targets)."""

    Config = ScaledConfig

    def __init__(self, config: ScaledConfig) -> None:
        super().__init__()
        self.loss = LOSSES.build(config.of)
        # Its logarithm is what is learned: steps are relative, and the sign cannot change.
        log_scale = -torch.log(torch.tensor(config.temperature))
        self.log_scale = nn.Parameter(log_scale, requires_grad=config.learn)
        self.bias = nn.Parameter(torch.zeros(())) if config.bias else None

    @property
    def scale(self) -> Tensor:
        """What scores are multiplied by, a scalar."""
        return self.log_scale.exp()

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        real = torch.isfinite(scores)
        scaled = self.scale.to(scores.dtype) * scores.masked_fill(~real, 0.0)  # infinity times a gradient of 0 is NaN
        if self.bias is not None:
            scaled = scaled + self.bias.to(scores.dtype)
        loss: Tensor = self.loss(scaled.masked_fill(~real, -torch.inf), targets)
        return loss
