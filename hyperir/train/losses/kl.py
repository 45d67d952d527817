"""Listwise KL divergence: the student's distribution over a query's candidates follows the teacher's."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses.parts import mean_over, own_candidates

__all__ = ["ListwiseKL", "ListwiseKLConfig"]


class ListwiseKLConfig(Config):
    """Configuration of the listwise KL divergence.

    Args:
        teacher_temperature: divides the teacher's scores; above 1 it is less sure of itself.
    """

    type: Literal["kl"] = "kl"
    teacher_temperature: float = Field(1.0, gt=0)


class ListwiseKL(nn.Module):
    """mean over q of KL(softmax t || softmax s), over the candidates that have a target, where two or more do."""

    Config = ListwiseKLConfig

    def __init__(self, config: ListwiseKLConfig) -> None:
        super().__init__()
        self.temperature = config.teacher_temperature

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        own = own_candidates(scores)
        known = torch.isfinite(own) & torch.isfinite(targets)
        lists = known.sum(-1) > 1
        # A very low number and not -inf: a list without any candidate would be 0/0.
        lowest = torch.finfo(own.dtype).min
        student = own.masked_fill(~known, lowest).log_softmax(-1)
        teacher = (targets.to(own.dtype) / self.temperature).masked_fill(~known, lowest).log_softmax(-1)
        divergence = (teacher.exp() * (teacher - student)).masked_fill(~known, 0.0).sum(-1)
        return mean_over(divergence, lists)
