"""FLOPS: how many multiplications an inverted index would need for a pair of texts, made smooth.

Paria et al., 2020, as SPLADE uses it: the *mean over texts* is taken of absolute values, then it is squared and summed
over dimensions. The mean of squares would be another term: it is small where every text uses the same few dimensions.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hyperir.train.regularisers.encoded import Encoded, RegulariserConfig, Sides, sides_of, weight_at

__all__ = ["Flops", "FlopsConfig"]


class FlopsConfig(RegulariserConfig):
    """Configuration of FLOPS.

    Args:
        sides: whose vectors; with "both" the terms of the two are added.
    """

    type: Literal["flops"] = "flops"
    sides: Sides = "both"


class Flops:
    """weight * sum over dimensions j of (mean over texts i of |v_ij|)^2."""

    Config = FlopsConfig

    def __init__(self, config: FlopsConfig) -> None:
        self.config = config

    def __call__(self, encoded: Encoded, step: int) -> Tensor:
        """Encoded, step -> ()."""
        first, *more = (v.abs().mean(0).square().sum() for v in sides_of(encoded, self.config.sides))
        return weight_at(self.config, step) * sum(more, first)
