"""Negatives that the model itself finds: mined once (STAR), or again and again while it learns (ANCE).

STAR: Zhan et al., SIGIR 2021; the model that training starts from should be a warm one. ANCE: Xiong et al., ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.train.data.example import Example
from hyperir.train.negatives import Search
from hyperir.train.negatives.pool import Pool, allowed, draw

__all__ = ["Refreshed", "RefreshedConfig", "Static", "StaticConfig"]

BLOCK = 256  # queries searched at once


class StaticConfig(Config):
    """Configuration of static hard negatives.

    Args:
        depth: drawn from so many of the best documents; 8 bytes each a query.
        skip: the best ones left out, which are the most likely to be relevant.
    """

    type: Literal["static"] = "static"
    depth: int = Field(200, ge=1)
    skip: int = Field(0, ge=0)


class RefreshedConfig(StaticConfig):
    """Configuration of hard negatives that are mined anew.

    Args:
        every: steps between two searches for all queries.
    """

    type: Literal["refreshed"] = "refreshed"  # type: ignore[assignment]
    every: int = Field(1000, ge=1)


class Mined:
    """Base: the model's best documents of every query, as of the last refresh, each with the same chance."""

    def __init__(self, config: StaticConfig, *, pool: Pool) -> None:
        self._depth, self._skip = config.depth, config.skip
        self._queries = list(dict.fromkeys(pool.queries))
        self._found: dict[str, tuple[str, ...]] = {}

    def refresh(self, search: Search, step: int) -> None:
        """Search for all training queries."""
        with Progress("Mining", len(self._queries), "queries") as bar:
            for start in range(0, len(self._queries), BLOCK):
                some = self._queries[start : start + BLOCK]
                for query, ids in zip(some, search(some, self._skip + self._depth), strict=True):
                    self._found[query] = tuple(ids[self._skip :])
                bar.advance(len(some))

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`. Raises InputError for a query that was not mined."""
        return [draw(allowed(example, self._of(example.query)), n, generator) for example in examples]

    def _of(self, query: str) -> tuple[str, ...]:
        if query not in self._found:
            raise InputError(
                f"no negatives were mined for the query {query[:60]!r}",
                expected="one of the pool's queries, after a call of `refresh`",
            )
        return self._found[query]


class Static(Mined):
    """Mined once, with the model that training starts from."""

    Config = StaticConfig
    every = 0


class Refreshed(Mined):
    """Mined again every so many steps, with the model as it is then."""

    Config = RefreshedConfig

    def __init__(self, config: RefreshedConfig, *, pool: Pool) -> None:
        super().__init__(config, pool=pool)
        self.every = config.every
