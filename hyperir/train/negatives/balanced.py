"""Listed negatives, balanced by the teacher's margin (TAS-B, Hofstätter et al., 2021).

Of random negatives most are easy. Here the range of the teacher's margins t+ - t- of a query is cut into bins of equal
width; a bin is drawn first, then a negative inside it, so that hard ones come as often as easy ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.train.data.example import Example
from hyperir.train.negatives.pool import Pool, Quiet, allowed

__all__ = ["Balanced", "BalancedConfig"]


class BalancedConfig(Config):
    """Configuration of balanced negatives.

    Args:
        bins: how many.
    """

    type: Literal["balanced"] = "balanced"
    bins: int = Field(10, ge=1)


class Balanced(Quiet):
    """The example's other items, drawn by bins of the teacher's margin. Items without a score are never drawn."""

    Config = BalancedConfig

    def __init__(self, config: BalancedConfig, *, pool: Pool) -> None:
        self._bins = config.bins

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`. Raises InputError where the positive has no score."""
        return [self._one(example, n, generator) for example in examples]

    def _one(self, example: Example, n: int, generator: np.random.Generator) -> list[str]:
        if math.isnan(example.labels[0]):
            raise InputError(
                f"the positive of {example.query[:60]!r} has no teacher's score, so there are no margins to balance",
                fix="hyperir teach TRAINING -o scores.jsonl --teacher NAME",
            )
        scores = dict(zip(example.items, example.labels, strict=True))
        known = [id_ for id_ in allowed(example, example.items[1:]) if not math.isnan(scores[id_])]
        bins = [list(generator.permutation(inside)) for inside in self._binned(known, scores, example.labels[0])]
        chosen: list[str] = []
        while bins and len(chosen) < n:
            at = int(generator.integers(len(bins)))
            chosen.append(known[bins[at].pop()])
            if not bins[at]:
                del bins[at]
        return chosen

    def _binned(self, known: Sequence[str], scores: dict[str, float], positive: float) -> list[list[int]]:
        """Places in `known`, one list for each bin that has any."""
        if not known:
            return []
        margins = np.array([positive - scores[id_] for id_ in known])
        low, high = margins.min(), margins.max()
        width = (high - low) / self._bins
        at = np.zeros(len(known), dtype=int) if width == 0 else np.minimum((margins - low) / width, self._bins - 1)
        groups: dict[int, list[int]] = {}
        for place, number in enumerate(at.astype(int).tolist()):
            groups.setdefault(number, []).append(place)
        return [groups[number] for number in sorted(groups)]
