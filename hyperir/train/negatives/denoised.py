"""Denoised negatives: what a teacher takes for relevant is no negative (RocketQA, Qu et al., NAACL 2021)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.train.data.example import Example
from hyperir.train.negatives import NEGATIVES, Search
from hyperir.train.negatives.pool import Pool

__all__ = ["Denoised", "DenoisedConfig"]


class DenoisedConfig(Config):
    """Configuration of denoised negatives.

    Args:
        of: where negatives come from, a member of `NEGATIVES`.
        below: only documents with a teacher's score below this one.
        margin: only documents with a score at least this much below the positive's.
        more: so many times the wanted number are drawn first, because some fall away.
    """

    type: Literal["denoised"] = "denoised"
    of: Annotated[SerializeAsAny[Config], BeforeValidator(NEGATIVES.parse)]
    below: float | None = None
    margin: float | None = None
    more: int = Field(4, ge=1)

    @model_validator(mode="after")
    def _one_at_least(self) -> DenoisedConfig:
        if self.below is None and self.margin is None:
            raise ValueError("what is denoised needs below, margin, or both")
        return self


class Denoised:
    """Another source's negatives without those that the teacher takes for relevant.

    Scores are the example's labels where it has them; the pool's teacher is asked for the others.
    """

    Config = DenoisedConfig

    def __init__(self, config: DenoisedConfig, *, pool: Pool) -> None:
        self._config, self._pool = config, pool
        self._of = NEGATIVES.build(config.of, pool=pool)

    @property
    def every(self) -> int:
        """As of the source."""
        return self._of.every

    def refresh(self, search: Search, step: int) -> None:
        """As of the source."""
        self._of.refresh(search, step)

    def sample(self, examples: Sequence[Example], n: int, generator: np.random.Generator) -> list[list[str]]:
        """See :class:`hyperir.train.negatives.Negatives`. Raises InputError where there is no score and no teacher."""
        found = self._of.sample(examples, n * self._config.more, generator)
        return [self._clean(example, ids)[:n] for example, ids in zip(examples, found, strict=True)]

    def _clean(self, example: Example, ids: list[str]) -> list[str]:
        needed = [example.items[0], *ids] if self._config.margin is not None else ids
        scores = self._scores(example, needed)
        highest = math.inf if self._config.below is None else self._config.below
        kept = [id_ for id_ in ids if scores[id_] < highest]
        if self._config.margin is None:
            return kept
        most = scores[example.items[0]] - self._config.margin
        return [id_ for id_ in kept if scores[id_] <= most]

    def _scores(self, example: Example, ids: list[str]) -> dict[str, float]:
        known = dict(zip(example.items, example.labels, strict=True))
        missing = [id_ for id_ in ids if math.isnan(known.get(id_, math.nan))]
        if missing and self._pool.score is None:
            raise InputError(
                f"{len(missing)} documents of the query {example.query[:60]!r} have no teacher's score",
                expected="a taught training set, or a teacher",
                fix="hyperir teach TRAINING -o scores.jsonl --teacher NAME",
            )
        if missing:
            assert self._pool.score is not None
            known.update(zip(missing, self._pool.score(example.query, missing), strict=True))
        return known
