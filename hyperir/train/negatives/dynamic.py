"""Dynamic negatives: the true top of all documents under the query's function at this very step.

ADORE, Zhan et al., SIGIR 2021. The documents' vectors stay as they are, so that an index of them can be searched in
every step; with documents that learn the search would have to encode them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.train.data.example import Example
from hyperir.train.negatives import Search
from hyperir.train.negatives.pool import Pool, allowed, draw

__all__ = ["Dynamic", "DynamicConfig"]


class DynamicConfig(Config):
    """Configuration of dynamic negatives.

    Args:
        depth: drawn from so many of the best documents; None takes the very best, without chance.
        skip: the best ones left out.
    """

    type: Literal["dynamic"] = "dynamic"
    depth: int | None = Field(None, ge=1)
    skip: int = Field(0, ge=0)


class Dynamic:
    """The best documents that are not positives, found anew for every batch: `refresh` hands in the present search."""

    Config = DynamicConfig
    every = 1

    def __init__(self, config: DynamicConfig, *, pool: Pool) -> None:
        self._config = config
        self._search: Search | None = None

    def refresh(self, search: Search, step: int) -> None:
        """Search with this from now on."""
        self._search = search

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`; all examples are searched for in one call."""
        if self._search is None:
            raise InputError("dynamic negatives are searched for, and there is no search", expected="a `refresh` first")
        if not examples:
            return []
        wanted = n if self._config.depth is None else max(n, self._config.depth)
        most = max(len(example.positives | {example.items[0]}) for example in examples)
        found = self._search([example.query for example in examples], self._config.skip + wanted + most)
        best = [
            allowed(example, ids[self._config.skip :])[:wanted] for example, ids in zip(examples, found, strict=True)
        ]
        return [ids[:n] if self._config.depth is None else draw(ids, n, generator) for ids in best]
