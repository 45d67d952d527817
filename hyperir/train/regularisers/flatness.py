"""Flatness: documents close to each other score alike, so that a search that walks from neighbour to neighbour works.

The auxiliary loss of NANN (Chen et al., CIKM 2022): documents move a little in the direction that raises their score
most, and a query's distribution over its documents should stay. NANN's scores are probabilities; ours are not, so the
distribution is a softmax over the query's own candidates. Where a step raises all scores equally nothing changes: an
inner product is as flat as can be.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.core.types import Differentiable, Relevance
from hyperir.train.regularisers.encoded import Encoded, RegulariserConfig, weight_at

__all__ = ["Flatness", "FlatnessConfig"]


class FlatnessConfig(RegulariserConfig):
    """Configuration of the flatness term.

    Args:
        epsilon: how far every coordinate of a document moves. NANN took 3e-4 on public data and 1e-2 on its own; it
            has the unit of the vectors' coordinates.
    """

    type: Literal["flatness"] = "flatness"
    epsilon: float = Field(1e-2, gt=0)


class Flatness:
    """weight * mean over q of KL(softmax f(d) || softmax f(d + epsilon sign grad f(d))).

    The gradient reaches the functions at both places and the documents at the first; the step counts as a constant.
    """

    Config = FlatnessConfig

    def __init__(self, config: FlatnessConfig) -> None:
        self.config = config

    def __call__(self, encoded: Encoded, step: int) -> Tensor:
        """Encoded, step -> ()."""
        vectors = encoded.docs.vectors
        moved = vectors + self.config.epsilon * uphill(encoded.f, encoded.docs).sign().to(vectors.dtype)
        here = encoded.f(encoded.docs).log_softmax(-1)
        there = encoded.f(Dense(moved)).log_softmax(-1)
        return weight_at(self.config, step) * (here.exp() * (here - there)).sum(-1).mean()


def uphill(f: Relevance[Any], docs: Dense) -> Tensor:
    """df_q/dd at a query's own candidates, (Q, K, D), without a graph."""
    if isinstance(f, Differentiable):
        return f.gradient(docs).detach()
    vectors = docs.vectors.detach().clone().requires_grad_()
    with torch.enable_grad():
        gradient: Tensor = torch.autograd.grad(f(Dense(vectors)).sum(), vectors)[0]
    return gradient
