"""What negatives are drawn from, and what their sources share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hyperir.core.errors import InputError
from hyperir.core.types import Row
from hyperir.train.data.example import Example
from hyperir.train.negatives import Search

__all__ = ["Pool", "Quiet", "Score", "allowed", "draw"]

Score: TypeAlias = Callable[[str, list[str]], list[float]]  # a query's text, ids -> a teacher's scores


@dataclass(frozen=True)
class Pool:
    """All that negatives may be drawn from.

    Args:
        ids: of all documents.
        queries: texts of the training queries, for sources that look for all of them at once.
        text: a document by its id.
        score: a teacher; None where there is none.
    """

    ids: Sequence[str]
    queries: Sequence[str] = ()
    text: Callable[[str], Row | str] | None = None
    score: Score | None = None


class Quiet:
    """Base of sources that do not look at the model."""

    every = 0

    def refresh(self, search: Search, step: int) -> None:
        """Nothing to do."""


def allowed(example: Example, ids: Iterable[str]) -> list[str]:
    """What is left of some documents without the example's positives and without repetition, in their order."""
    positives = example.positives | {example.items[0]}
    return [id_ for id_ in dict.fromkeys(ids) if id_ not in positives]


def draw(ids: Sequence[str], n: int, generator: np.random.Generator) -> list[str]:
    """n different ones, in the order drawn; all, shuffled, where there are no more."""
    if n < 0:
        raise InputError("negatives are counted from 0", got=f"n = {n}")
    return [ids[i] for i in generator.choice(len(ids), min(n, len(ids)), replace=False)] if ids else []
