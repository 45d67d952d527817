"""Teachers: what scores queries with documents, for training sets and against false negatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hyperir.core.types import Row

__all__ = ["Teacher"]


class Teacher(Protocol):
    """What every teacher offers."""

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that changes its scores."""
        ...

    def __call__(self, queries: Sequence[str], documents: Sequence[Sequence[Row | str]]) -> list[list[float]]:
        """A score for each document of each query; higher is better."""
        ...
