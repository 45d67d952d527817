"""Losses: scores and targets -> a scalar. One file each.

A member is a `torch.nn.Module` made from its configuration. It is called with

- scores, (Q, Q, K): scores[q, p, k] is f_q of item k of query p. A query's own candidates are scores[q, q], and item 0
  of each is its positive. Pads, and documents known to be relevant that stand among the negatives, are -inf.
- targets, (Q, K): teacher scores, or labels, of the own candidates; NaN where they are not known.

and returns a scalar. Parameters of its own, such as a learned scale, are trained with the model's.
"""

from torch import nn

from hyperir.core.registry import Table

__all__ = ["LOSSES"]

LOSSES: Table[nn.Module] = Table(
    "losses",
    {
        "cross_entropy": "hyperir.train.losses.cross_entropy:CrossEntropy",
        "margin_mse": "hyperir.train.losses.margin_mse:MarginMSE",
        "hinge": "hyperir.train.losses.hinge:Hinge",
        "kl": "hyperir.train.losses.kl:ListwiseKL",
        "ranknet": "hyperir.train.losses.ranknet:RankNet",
        "lambdarank": "hyperir.train.losses.lambdarank:LambdaRank",
        "scaled": "hyperir.train.losses.scaled:Scaled",
    },
)
