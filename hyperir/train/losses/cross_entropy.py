"""In-batch cross-entropy: of all documents of the batch, the query's own positive is the right one."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.train.losses.parts import full_precision, own_candidates

__all__ = ["CrossEntropy", "CrossEntropyConfig"]


class CrossEntropyConfig(Config):
    """Configuration of the cross-entropy.

    Args:
        items: which documents of the other queries are negatives: "all" (DPR: their positives and negatives, and the
            query's own negatives), "first" (Hypencoder: their positives alone, and no own negatives), or "own" (the
            query's own negatives alone).
        temperature: scores are divided by it.
    """

    type: Literal["cross_entropy"] = "cross_entropy"
    items: Literal["all", "first", "own"] = "all"
    temperature: float = Field(1.0, gt=0)


class CrossEntropy(nn.Module):
    """mean over q of -log(exp(s(q, +) / t) / sum over documents d of exp(s(q, d) / t)). Targets are not read."""

    Config = CrossEntropyConfig

    def __init__(self, config: CrossEntropyConfig) -> None:
        super().__init__()
        self.items, self.temperature = config.items, config.temperature

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """(Q, Q, K), (Q, K) -> ()."""
        queries, others, candidates = scores.shape
        right = torch.arange(queries, device=scores.device)
        scores = full_precision(scores) / self.temperature
        if self.items == "own":
            return F.cross_entropy(own_candidates(scores), torch.zeros_like(right))
        if self.items == "first":
            return F.cross_entropy(scores[:, :, 0], right)
        return F.cross_entropy(scores.reshape(queries, others * candidates), right * candidates)
