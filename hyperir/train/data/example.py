"""What training learns from: examples, and sets of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hyperir.core.types import Row

__all__ = ["Example", "TrainingSet"]


@dataclass(frozen=True)
class Example:
    """One query with its own candidates.

    Args:
        query: its text.
        items: ids of documents, the positive one first.
        labels: a label or a teacher's score for each item; NaN where unknown.
        positives: ids of all documents known to be relevant, where the set knows more than the first item.
    """

    query: str
    items: tuple[str, ...]
    labels: tuple[float, ...]
    positives: frozenset[str] = frozenset()


class TrainingSet(Protocol):
    """Examples, and the texts of the documents that they name."""

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that changes the examples."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, i: int) -> Example: ...
    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """The document with this id, as `encode_document` takes it."""
        ...
