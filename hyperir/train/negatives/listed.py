"""Negatives that stand in the training set itself: of its lines, or mined for it before (STAR, for one)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hyperir.core.config import Config
from hyperir.train.data.example import Example
from hyperir.train.negatives.pool import Pool, Quiet, allowed, draw

__all__ = ["Listed", "ListedConfig"]


class ListedConfig(Config):
    """Configuration of listed negatives.

    Args:
        first: only the first so many of the list; None for all.
    """

    type: Literal["listed"] = "listed"
    first: int | None = Field(None, ge=1)


class Listed(Quiet):
    """The example's other items, each with the same chance."""

    Config = ListedConfig

    def __init__(self, config: ListedConfig, *, pool: Pool) -> None:
        self._first = config.first

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`."""
        return [draw(allowed(example, example.items[1:])[: self._first], n, generator) for example in examples]
