"""Hinge loss over pairs, as SNRM learns from a lexical model: the better of two documents by a margin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses.parts import mean_over, own_candidates, pairs

__all__ = ["Hinge", "HingeConfig"]


class HingeConfig(Config):
    """Configuration of the hinge loss.

    Args:
        margin: by which the better document should stand above the other.
    """

    type: Literal["hinge"] = "hinge"
    margin: float = Field(1.0, gt=0)


class Hinge(nn.Module):
    """mean over pairs, i above j, of max(0, margin - (s_i - s_j)); the positive is above what has no target."""

    Config = HingeConfig

    def __init__(self, config: HingeConfig) -> None:
        super().__init__()
        self.margin = config.margin

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        above, difference = pairs(own_candidates(scores), targets)
        return mean_over((self.margin - difference).relu(), above)
