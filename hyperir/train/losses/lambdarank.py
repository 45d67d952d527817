"""LambdaRank: RankNet, each pair weighted by what swapping the two would change in the measure. Burges et al., 2006."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses.parts import own_candidates, pairs

__all__ = ["LambdaRank", "LambdaRankConfig"]


class LambdaRankConfig(Config):
    """Configuration of LambdaRank.

    Args:
        grades: how good a candidate is. "targets": its target, where it is not known 1 for the positive and 0 for
            others; below 0 counts as 0, unless the gain is "unit". "positive": 1 for the positive, 0 for others
            (ADORE). "ranks": 1 / its rank under the teacher, for targets that are scores rather than grades.
        gain: of a grade y: "exponential", 2^y - 1, or "linear", y; "unit" counts every pair's difference of gains
            as 1, so that grades only say who stands above whom (CL-DRD, with "rr").
        measure: "ndcg", or "rr", whose discount is 1 / rank.
        cut: ranks beyond it count as one, the last; None for no cut.
        sigma: steepness of the logistic function.
    """

    type: Literal["lambdarank"] = "lambdarank"
    grades: Literal["targets", "positive", "ranks"] = "targets"
    gain: Literal["exponential", "linear", "unit"] = "exponential"
    measure: Literal["ndcg", "rr"] = "ndcg"
    cut: int | None = Field(None, ge=1)
    sigma: float = Field(1.0, gt=0)


class LambdaRank(nn.Module):
    """mean over q of the sum over pairs, i above j, of |delta_ij| log(1 + exp(-sigma (s_i - s_j))).

    delta_ij = (g_i - g_j) (d(r_i) - d(r_j)) / n, with gains g, the candidates' present ranks r, and the discount
    d(r) = 1 / log2(1 + r), n being the best DCG that the candidates allow; or for "rr" d(r) = 1 / r and n = 1. With
    the gain "unit" it is d(r_i) - d(r_j). The weights are no part of the gradient, so that it is made of RankNet's
    lambdas times |delta|.
    """

    Config = LambdaRankConfig

    def __init__(self, config: LambdaRankConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        own = own_candidates(scores)
        grades = self._grades(own, targets)
        above, difference = pairs(own, grades)
        loss = F.softplus(-self.config.sigma * difference)
        weights = self._deltas(own.detach(), grades) * above
        return (weights * loss).sum() / own.shape[0]

    def _grades(self, own: Tensor, targets: Tensor) -> Tensor:
        """(Q, K); none below 0 and none unknown, where they are read as gains."""
        first = torch.zeros_like(own)
        first[:, 0] = 1.0
        if self.config.grades == "positive":
            return first
        values = targets.to(own.dtype)
        if self.config.grades == "ranks":
            real = torch.isfinite(own) & torch.isfinite(values)
            ranks = _ranks(values.masked_fill(~real, -torch.inf))
            return torch.where(real, 1.0 / ranks, first)
        if self.config.gain == "unit":
            return values  # `pairs` knows what to do with unknown ones
        return torch.where(torch.isnan(values), first, values).clamp(min=0.0)

    def _deltas(self, own: Tensor, grades: Tensor) -> Tensor:
        """|what a swap of two candidates changes|, (Q, K, K)."""
        discounts = self._discount(_ranks(own))
        change = discounts[:, :, None] - discounts[:, None, :]
        if self.config.gain == "unit":
            return change.abs()
        gains = torch.exp2(grades) - 1 if self.config.gain == "exponential" else grades
        gains = gains.masked_fill(~torch.isfinite(own), 0.0)
        change = (gains[:, :, None] - gains[:, None, :]) * change
        if self.config.measure == "rr":
            return change.abs()
        ranks = torch.arange(1, own.shape[1] + 1, device=own.device, dtype=own.dtype)
        best = (gains.sort(-1, descending=True).values * self._discount(ranks)).sum(-1)
        return change.abs() / best.clamp(min=torch.finfo(own.dtype).tiny)[:, None, None]

    def _discount(self, ranks: Tensor) -> Tensor:
        discount = 1.0 / ranks if self.config.measure == "rr" else 1.0 / torch.log2(1.0 + ranks)
        return discount if self.config.cut is None else discount * (ranks <= self.config.cut)


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 1, the largest first, ties in the order given; in the type of the values."""
    order = values.argsort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(1, values.shape[-1] + 1, device=values.device, dtype=values.dtype)
    return torch.empty_like(values).scatter_(-1, order, ranks.expand_as(values))
