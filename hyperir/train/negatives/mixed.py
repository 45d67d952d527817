"""Negatives of several sources side by side: a few hard ones, a few random ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from hyperir.core.config import Config
from hyperir.train.data.example import Example
from hyperir.train.negatives import NEGATIVES, Search
from hyperir.train.negatives.pool import Pool

__all__ = ["Mixed", "MixedConfig", "Share"]


class Share(Config):
    """A source and its share.

    Args:
        of: a member of `NEGATIVES`.
        share: of all negatives, in proportion to the others' shares.
    """

    of: Annotated[SerializeAsAny[Config], BeforeValidator(NEGATIVES.parse)]
    share: float = Field(1.0, gt=0)


class MixedConfig(Config):
    """Configuration of mixed negatives.

    Args:
        sources: in this order; where the shares leave a rest, or a source has too few, the last one fills up.
    """

    type: Literal["mixed"] = "mixed"
    sources: tuple[Share, ...] = (
        Share(of=NEGATIVES.parse("listed"), share=1.0),
        Share(of=NEGATIVES.parse("random"), share=1.0),
    )

    @field_validator("sources")
    @classmethod
    def _some(cls, sources: tuple[Share, ...]) -> tuple[Share, ...]:
        if not sources:
            raise ValueError("a mixture needs a source")
        return sources


class Mixed:
    """A fixed number from each source; a document of two sources comes once."""

    Config = MixedConfig

    def __init__(self, config: MixedConfig, *, pool: Pool) -> None:
        total = sum(source.share for source in config.sources)
        self._shares = [source.share / total for source in config.sources]
        self._sources = [NEGATIVES.build(source.of, pool=pool) for source in config.sources]
        self._looked = [-1] * len(self._sources)  # the step at which each source was refreshed last

    @property
    def every(self) -> int:
        """Of the source that looks most often."""
        return math.gcd(*(source.every for source in self._sources))

    def refresh(self, search: Search, step: int) -> None:
        """Refresh all sources the first time, whatever the step, and then those whose steps have passed."""
        for number, source in enumerate(self._sources):
            last = self._looked[number]
            if last < 0 or (source.every and step // source.every > last // source.every):
                source.refresh(search, step)
                self._looked[number] = step

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`."""
        chosen: list[dict[str, None]] = [{} for _ in examples]
        for number, (source, share) in enumerate(zip(self._sources, self._shares, strict=True)):
            last = number == len(self._sources) - 1
            # Twice as many are asked for where an earlier source may have given the same ones.
            found = source.sample(examples, n if number == 0 else 2 * n, generator)
            for kept, ids in zip(chosen, found, strict=True):
                limit = n if last else len(kept) + int(share * n)
                for id_ in ids:
                    if len(kept) < limit:
                        kept[id_] = None
        return [list(kept) for kept in chosen]
