"""L1: the absolute values of vectors, so that many become zero. SNRM, Zamani et al., 2018."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hyperir.train.regularisers.encoded import Encoded, RegulariserConfig, Sides, sides_of, weight_at

__all__ = ["L1", "L1Config"]


class L1Config(RegulariserConfig):
    """Configuration of L1.

    Args:
        sides: whose vectors; with "both" the terms of the two are added.
    """

    type: Literal["l1"] = "l1"
    sides: Sides = "both"


class L1:
    """weight * mean over texts i of the sum over dimensions j of |v_ij|."""

    Config = L1Config

    def __init__(self, config: L1Config) -> None:
        self.config = config

    def __call__(self, encoded: Encoded, step: int) -> Tensor:
        """Encoded, step -> ()."""
        first, *more = (v.abs().sum(-1).mean() for v in sides_of(encoded, self.config.sides))
        return weight_at(self.config, step) * sum(more, first)
