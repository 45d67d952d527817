"""Margin MSE: the student's margin between positive and negative follows the teacher's, sign included.

Hofstätter et al., 2020. The margin is signed: where the teacher prefers a negative, so should the student.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses.parts import mean_over, own_candidates

__all__ = ["MarginMSE", "MarginMSEConfig"]


class MarginMSEConfig(Config):
    """Margin MSE has no options."""

    type: Literal["margin_mse"] = "margin_mse"


class MarginMSE(nn.Module):
    """mean over (q, +, -) of ((s+ - s-) - (t+ - t-))^2; triplets of which a target is not known are left out."""

    Config = MarginMSEConfig

    def __init__(self, config: MarginMSEConfig) -> None:
        super().__init__()

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        own = own_candidates(scores)
        known = torch.isfinite(own) & torch.isfinite(targets)
        # What the teacher adds to the student. A margin of differences is a difference of margins.
        missing = (targets.to(own.dtype) - own).masked_fill(~known, 0.0)
        error = missing[:, :1] - missing[:, 1:]
        return mean_over(error.square(), known[:, :1] & known[:, 1:])
