"""Several teachers as one: the weighted sum of their scores."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from hyperir.core.errors import InputError
from hyperir.core.types import Row
from hyperir.train.teachers import Teacher

__all__ = ["Ensemble"]


class Ensemble:
    """sum over teachers of weight * score. Scores of different kinds of teachers have different ranges.

    Args:
        teachers: one or more.
        weights: one for each; None for the mean.

    Raises:
        InputError: no teacher, or not a finite weight for each.
    """

    def __init__(self, teachers: Sequence[Teacher], weights: Sequence[float] | None = None) -> None:
        if not teachers:
            raise InputError("there is no teacher", expected="one or more")
        weights = [1 / len(teachers)] * len(teachers) if weights is None else list(weights)
        if len(weights) != len(teachers) or not all(math.isfinite(weight) for weight in weights):
            raise InputError(
                "the weights do not fit the teachers",
                expected=f"a finite number for each of {len(teachers)} teachers",
                got=", ".join(map(str, weights)),
            )
        self._teachers, self._weights = list(teachers), weights

    @property
    def fingerprint(self) -> str:
        """sha256 over the teachers and their weights."""
        parts = [f"{w!r} {t.fingerprint}" for w, t in zip(self._weights, self._teachers, strict=True)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def __call__(self, queries: Sequence[str], documents: Sequence[Sequence[Row | str]]) -> list[list[float]]:
        """See :class:`hyperir.train.teachers.Teacher`."""
        given = [teacher(queries, documents) for teacher in self._teachers]
        return [
            [sum(w * s for w, s in zip(self._weights, scores, strict=True)) for scores in zip(*own, strict=True)]
            for own in zip(*given, strict=True)
        ]
