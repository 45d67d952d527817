"""Relevance of words: counted terms of queries become functions over counted terms of documents. One file each.

A member is made from (config) and has `function(counts, statistics)`: (Q,) queries whose weights count their terms, and
the :class:`~hyperir.relevance.lexical.statistics.Statistics` of the documents as they are now. Documents keep counts
alone; their weights follow from the statistics when they are searched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hyperir.core.registry import Table

if TYPE_CHECKING:
    from hyperir.core.docs import Sparse
    from hyperir.core.types import Relevance
    from hyperir.relevance.lexical.statistics import Statistics

__all__ = ["LEXICAL", "Lexical"]


class Lexical(Protocol):
    """A member."""

    def function(self, counts: Sparse, statistics: Statistics) -> Relevance[Any]:
        """f of Q queries."""
        ...


LEXICAL: Table[Lexical] = Table(
    "lexical",
    {
        "bm25": "hyperir.relevance.lexical.bm25:BM25",
        "tfidf": "hyperir.relevance.lexical.tfidf:TFIDF",
    },
)
