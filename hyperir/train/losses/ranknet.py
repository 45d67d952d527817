"""RankNet: the logistic loss of every pair of a query's candidates. Burges et al., 2005."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses.parts import mean_over, own_candidates, pairs

__all__ = ["RankNet", "RankNetConfig"]


class RankNetConfig(Config):
    """Configuration of RankNet.

    Args:
        sigma: steepness of the logistic function.
        soft: the teacher's probability that i beats j is sigmoid(t_i - t_j), and not 1 where t_i > t_j; pairs without
            both targets are as if not soft.
    """

    type: Literal["ranknet"] = "ranknet"
    sigma: float = Field(1.0, gt=0)
    soft: bool = False


class RankNet(nn.Module):
    """mean over pairs, i above j, of log(1 + exp(-sigma (s_i - s_j))); the positive is above what has no target.

    If soft: of -p log sigmoid(x) - (1 - p) log sigmoid(-x), where x = sigma (s_i - s_j) and p is the teacher's.
    """

    Config = RankNetConfig

    def __init__(self, config: RankNetConfig) -> None:
        super().__init__()
        self.sigma, self.soft = config.sigma, config.soft

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        above, difference = pairs(own_candidates(scores), targets)
        x = self.sigma * difference
        loss = F.softplus(-x)
        if self.soft:
            margin = (targets[:, :, None] - targets[:, None, :]).to(x.dtype)
            # softplus(-x) + (1 - p) x is the cross-entropy with p.
            loss = loss + torch.nan_to_num(torch.sigmoid(-margin), nan=0.0) * x
        return mean_over(loss, above)
