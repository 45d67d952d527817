"""Weights of inverted lists in a byte each: every list has 256 levels between its smallest and its largest weight."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Impacts"]

LEVELS = 255


@dataclass(frozen=True)
class Impacts:
    """The weights of all lists, one behind the other. Each is off by half a step of its list at most.

    Args:
        codes: (P,) uint8.
        low: (U,) float32, the smallest weight of each list.
        step: (U,) float32, between its levels; 0 where all are equal.
    """

    codes: Tensor
    low: Tensor
    step: Tensor

    @classmethod
    def of(cls, weights: Tensor, starts: Tensor) -> Impacts:
        """From (P,) finite float32 weights of lists that begin at (U + 1) `starts`."""
        lengths = starts.diff()
        lists = torch.arange(len(lengths)).repeat_interleave(lengths)
        low = torch.zeros(len(lengths)).scatter_reduce(0, lists, weights, "amin", include_self=False)
        high = torch.zeros(len(lengths)).scatter_reduce(0, lists, weights, "amax", include_self=False)
        step = (high - low) / LEVELS
        codes = ((weights - low[lists]) / torch.where(step > 0, step, 1.0)[lists]).round().clamp(0, LEVELS)
        return cls(codes.to(torch.uint8), low, step)

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.low.nbytes + self.step.nbytes

    def weights(self, place: int, start: int, end: int) -> Tensor:
        """The weights of the list `place`, which is start:end, (end - start,) float32."""
        return self.codes[start:end].float().mul_(float(self.step[place])).add_(float(self.low[place]))
