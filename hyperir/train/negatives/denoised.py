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
from hyperir.train.teachers import Teacher
from hyperir.train.teachers.opening import load_teacher

__all__ = ["Denoised", "DenoisedConfig"]

MOST = 1_000_000  # scores remembered


class DenoisedConfig(Config):
    """Configuration of denoised negatives.

    Args:
        of: where negatives come from, a member of `NEGATIVES`.
        below: only documents with a teacher's score below this one.
        margin: only documents with a score at least this much below the positive's.
        more: so many times the wanted number are drawn first, because some fall away.
        teachers: score what has no score yet, while training; what `hyperir teach --teacher` takes, several for their
            mean.
    """

    type: Literal["denoised"] = "denoised"
    of: Annotated[SerializeAsAny[Config], BeforeValidator(NEGATIVES.parse)]
    below: float | None = None
    margin: float | None = None
    more: int = Field(4, ge=1)
    teachers: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_at_least(self) -> DenoisedConfig:
        if self.below is None and self.margin is None:
            raise ValueError("what is denoised needs below, margin, or both")
        return self


class Denoised:
    """Another source's negatives without those that the teacher takes for relevant.

    Scores are the example's labels where it has them; the teacher of the configuration or of the pool is asked for the
    others.
    """

    Config = DenoisedConfig

    def __init__(self, config: DenoisedConfig, *, pool: Pool) -> None:
        self._config, self._pool = config, pool
        self._of = NEGATIVES.build(config.of, pool=pool)
        self._score = Remembered(load_teacher(config.teachers), pool) if config.teachers else pool.score

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
        if missing and self._score is None:
            raise InputError(
                f"{len(missing)} documents of the query {example.query[:60]!r} have no teacher's score",
                expected="a taught training set, or a teacher",
                fix="name some in teachers, or hyperir teach TRAINING -o scores.jsonl --teacher NAME",
            )
        if missing:
            assert self._score is not None
            known.update(zip(missing, self._score(example.query, missing), strict=True))
        return known


class Remembered:
    """A teacher that is asked once for a pair of query and document, as long as there are not too many.

    Args:
        teacher: asked.
        pool: has the documents' texts.
    """

    def __init__(self, teacher: Teacher, pool: Pool) -> None:
        if pool.text is None:
            raise InputError("a teacher reads texts, and there are none", expected="a training set with texts")
        self._teacher, self._text = teacher, pool.text
        self._known: dict[tuple[str, str], float] = {}

    def __call__(self, query: str, ids: list[str]) -> list[float]:
        """Scores of a query's documents."""
        new = [id_ for id_ in ids if (query, id_) not in self._known]
        if len(self._known) + len(new) > MOST:
            self._known, new = {}, ids
        if new:
            scores = self._teacher([query], [[self._text(id_) for id_ in new]])[0]
            self._known.update(zip(((query, id_) for id_ in new), scores, strict=True))
        return [self._known[query, id_] for id_ in ids]
