"""Weights of inverted lists in a byte each: every list has 256 levels between its smallest and its largest weight."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hyperir.core.errors import VectorError

__all__ = ["Impacts"]

LEVELS = 255
BLOCK = 1 << 22  # weights coded at once, and those of one list at least


@dataclass(frozen=True)
class Impacts:
    """The weights of all lists, one behind the other. Each is off by half a step of its list at most.

    Whole numbers, as counts of words are, have steps of 1 and are exact.

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
        """From (P,) float32 weights of lists, none of them empty, that begin at (U + 1) `starts`.

        Raises:
            VectorError: weights that are not finite, or whole numbers with more than 256 levels in a list.
        """
        if not len(weights):
            return cls(torch.empty(0, dtype=torch.uint8), torch.empty(0), torch.empty(0))
        values, bounds = weights.numpy(), starts.numpy()
        low, high = (by.reduceat(values, bounds[:-1]) for by in (np.minimum, np.maximum))
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise VectorError("weights that are no finite numbers do not fit into a byte", expected="finite weights")
        spread = high - low
        counts = bool((values == np.floor(values)).all())
        if counts and (largest := float(spread.max())) > LEVELS:
            raise VectorError(
                "counts do not fit into a byte each",
                expected=f"{LEVELS} between the smallest and the largest of a term, at most",
                got=f"{largest:,.0f}",
                fix="bits=32 keeps any",
            )
        step = (spread > 0).astype(np.float32) if counts else spread / np.float32(LEVELS)
        codes = np.empty(len(values), np.uint8)
        for first, last in _groups(bounds):
            part, lengths = slice(bounds[first], bounds[last]), np.diff(bounds[first : last + 1])
            own = np.where(step > 0, step, np.float32(1))[first:last].repeat(lengths)
            codes[part] = ((values[part] - low[first:last].repeat(lengths)) / own).round().clip(0, LEVELS)
        return cls(torch.from_numpy(codes), torch.from_numpy(low), torch.from_numpy(step))

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.low.nbytes + self.step.nbytes

    def weights(self, place: int, start: int, end: int) -> Tensor:
        """The weights of the list `place`, which is start:end, (end - start,) float32."""
        return self.codes[start:end].float().mul_(float(self.step[place])).add_(float(self.low[place]))

    def all(self, starts: Tensor) -> Tensor:
        """The weights of all lists, (P,) float32."""
        lengths = starts.diff()
        return self.codes.float().mul_(self.step.repeat_interleave(lengths)).add_(self.low.repeat_interleave(lengths))


def _groups(bounds: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[tuple[int, int]]:
    """Lists side by side, from the first to before the last of each group, about `BLOCK` weights together."""
    cuts = np.searchsorted(bounds, np.arange(0, int(bounds[-1]), BLOCK), side="left")
    edges = np.unique([0, *cuts.tolist(), len(bounds) - 1]).tolist()
    return list(itertools.pairwise(edges))
