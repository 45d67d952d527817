"""Negatives: which documents stand beside a query's positive. One file each.

A member is made from (config, pool=) with :class:`hyperir.train.negatives.pool.Pool`, all that it may draw from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from hyperir.core.registry import Table

if TYPE_CHECKING:
    from numpy.random import Generator

    from hyperir.train.data.example import Example

__all__ = ["NEGATIVES", "Negatives", "Search"]

Search: TypeAlias = Callable[[list[str], int], list[list[str]]]  # query texts, k -> ids of each, best first


class Negatives(Protocol):
    """What every source of negatives offers.

    The trainer calls `refresh` before the first step, and then whenever `every` steps have passed: with 0 never again.
    It calls `sample` for the examples of a batch, or of one at a time.
    """

    @property
    def every(self) -> int: ...

    def refresh(self, search: Search, step: int) -> None:
        """Look again with the model as it is now.

        Args:
            search: searches all documents with the present model.
            step: of the training.
        """
        ...

    def sample(self, examples: Sequence[Example], n: int, generator: Generator) -> list[list[str]]:
        """n different documents for each example, or fewer where there are not as many; a positive is never one.

        Args:
            examples: with their known positives.
            n: how many.
            generator: all that is drawn is drawn with it: equal generators give equal negatives.
        """
        ...


NEGATIVES: Table[Negatives] = Table(
    "negatives",
    {
        "random": "hyperir.train.negatives.random:Random",
        "listed": "hyperir.train.negatives.listed:Listed",
        "balanced": "hyperir.train.negatives.balanced:Balanced",
        "bm25": "hyperir.train.negatives.bm25:Lexical",
        "static": "hyperir.train.negatives.mined:Static",
        "refreshed": "hyperir.train.negatives.mined:Refreshed",
        "dynamic": "hyperir.train.negatives.dynamic:Dynamic",
        "denoised": "hyperir.train.negatives.denoised:Denoised",
        "mixed": "hyperir.train.negatives.mixed:Mixed",
    },
)
