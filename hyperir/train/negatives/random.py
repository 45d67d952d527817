"""Random negatives: any document of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from hyperir.core.config import Config
from hyperir.train.data.example import Example
from hyperir.train.negatives.pool import Pool, Quiet, allowed, draw

__all__ = ["Random", "RandomConfig"]


class RandomConfig(Config):
    """Random negatives have no options."""

    type: Literal["random"] = "random"


class Random(Quiet):
    """Each document with the same chance."""

    Config = RandomConfig

    def __init__(self, config: RandomConfig, *, pool: Pool) -> None:
        self._ids = pool.ids

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`."""
        return [self._one(example, n, generator) for example in examples]

    def _one(self, example: Example, n: int, generator: np.random.Generator) -> list[str]:
        # As many more as there are positives, which is all that can fall away.
        drawn = draw(self._ids, n + len(example.positives | {example.items[0]}), generator)
        return allowed(example, drawn)[:n]
