"""Losses: what training makes small, one file each.

A member is made from its configuration and maps scores (Q, Q, K) and targets (Q, K) to one number. `scores[q, p, k]` is
what the function of query q says of item k of query p: own candidates stand where p = q, the positive one at k = 0. Pads
and known false negatives are -inf in the scores; targets are NaN where unknown.
"""

from hyperir.core.registry import Table
from hyperir.core.types import Loss

__all__ = ["LOSSES"]

LOSSES: Table[Loss] = Table(
    "losses",
    {
        "cross_entropy": "hyperir.train.losses.cross_entropy:CrossEntropy",
    },
)
