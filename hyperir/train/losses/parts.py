"""What losses share: a query's own candidates, and means over what is known."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["full_precision", "mean_over", "own_candidates", "pairs"]


def full_precision(scores: Tensor) -> Tensor:
    """At least float32: differences of scores in half precision are too coarse to learn from."""
    return scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores


def own_candidates(scores: Tensor) -> Tensor:
    """(Q, Q, K) -> (Q, K): every query with its own candidates."""
    return torch.diagonal(full_precision(scores), dim1=0, dim2=1).T


def mean_over(values: Tensor, known: Tensor) -> Tensor:
    """The mean of the values that are known; 0, with a gradient of 0, where none is.

    Args:
        values: any shape; what is not known must be finite.
        known: booleans of the same shape.
    """
    return (values * known).sum() / known.sum().clamp(min=1)


def pairs(own: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Which candidate should stand above which, and by how much it does.

    Candidate i should stand above j where its target is the larger one; and the positive, item 0, above every
    candidate where the target of one of the two is not known. Pads are in no pair.

    Args:
        own: scores of the own candidates, (Q, K); -inf pads.
        targets: (Q, K), NaN where not known.

    Returns:
        above, (Q, K, K) booleans, above[q, i, j]; and own[q, i] - own[q, j], (Q, K, K), 0 where either is a pad.
    """
    real = torch.isfinite(own)
    both = real[:, :, None] & real[:, None, :]
    finite = own.masked_fill(~real, 0.0)
    difference = (finite[:, :, None] - finite[:, None, :]) * both
    above = targets[:, :, None] > targets[:, None, :]  # false for NaN
    unknown = torch.isnan(targets)
    above[:, 0, 1:] |= unknown[:, :1] | unknown[:, 1:]
    return above & both, difference
