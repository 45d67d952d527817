"""GUITAR (Zhao, Tan and Li, SIGIR 2024): of the neighbours of x only those in the direction of f's gradient are scored.

One inner product a neighbour decides, instead of f. It pays where f costs much more than that, and where x has many
neighbours, for the gradient itself costs about three times as much as a score.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.types import Differentiable
from hyperir.index.strategies.knn import vectors_of
from hyperir.index.strategies.visits import Visits

__all__ = ["GuitarConfig", "promising"]


class GuitarConfig(Config):
    """Configuration of gradient pruning.

    Args:
        factor: neighbours y are kept whose angle between y - x and the gradient at x is at most this many times the
            smallest among the unvisited neighbours of x; at least 1.
        top: where positive, the neighbours with the largest projections of y - x on the gradient are kept instead, so
            many of every x.
    """

    factor: float = 1.1
    top: int = 0


def promising(visits: Visits, rows: Tensor, neighbours: Tensor, config: GuitarConfig) -> Tensor:
    """Keep the neighbours that the gradient points at.

    Every gradient counts as one scored document. A neighbour that equals x, and all neighbours of an x where the
    gradient is zero, have no angle and are kept.

    Args:
        visits: of functions with the capability Differentiable.
        rows: (Q, b) documents that are expanded, -1 for none.
        neighbours: (Q, b, m) their neighbours, -1 for none.
        config: see :class:`GuitarConfig`.

    Returns:
        (Q, b', m'): what is dropped or visited already is -1; documents that no query expands are left out.
    """
    f = visits.f
    assert isinstance(f, Differentiable)
    new = visits.unseen(neighbours.flatten(1)).view_as(neighbours)
    # Where nothing new is near, no gradient is needed.
    rows = visits.affordable(rows.masked_fill(~new.any(2), -1))
    new &= (rows >= 0)[..., None]
    if not new.any():
        return torch.full_like(neighbours, -1)
    visits.scored += (rows >= 0).sum(1)
    going = (rows >= 0).any(0)
    rows, neighbours, new = rows[:, going], neighbours[:, going], new[:, going]
    origins = vectors_of(visits.docs, rows.clamp_min(0))
    with torch.inference_mode(False):
        gradients = f.gradient(Dense(origins.clone())).float()
    steps = vectors_of(visits.docs, neighbours.clamp_min(0)) - origins[:, :, None]
    along = (steps @ gradients[..., None])[..., 0]
    if config.top:
        along = along.masked_fill(~new, -torch.inf)
        order = along.argsort(dim=2, descending=True, stable=True)[:, :, : config.top]
        return torch.where(new.gather(2, order), neighbours.gather(2, order), -1)
    size = steps.norm(dim=3) * gradients.norm(dim=2, keepdim=True)
    angles = torch.acos((along / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp(-1, 1))
    angled = new & (size > 0)
    smallest = angles.masked_fill(~angled, torch.inf).min(2, keepdim=True).values
    return neighbours.masked_fill(~new | (angled & (angles > config.factor * smallest)), -1)
