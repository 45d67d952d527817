"""BM25 over the texts of an index, by the rows of the index."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hyperir.core.docs import Sparse
from hyperir.core.progress import Progress
from hyperir.encode.lexical import LexicalModel
from hyperir.index.store import Store
from hyperir.index.strategies.inverted import Inverted, InvertedConfig
from hyperir.relevance.lexical.statistics import Statistics

__all__ = ["Words"]

BLOCK = 2048  # documents read at once


class Words:
    """Counted words of all documents of an index, held in memory.

    Args:
        store: the index.
    """

    def __init__(self, store: Store) -> None:
        model, parts = LexicalModel("bm25"), []
        self._alive = store.alive
        with Progress("Counting words", store.commit.stored, "documents") as bar:
            for start in range(0, store.commit.stored, BLOCK):
                rows = store.rows(range(start, min(start + BLOCK, store.commit.stored)))
                parts.append(model.encode_document(rows, show_progress_bar=False))
                bar.advance(len(rows))
        self._counts = Sparse.cat(parts)
        alive = self._counts if self._alive is None else self._counts[self._alive.nonzero().flatten()]
        self._model = model.fitted(Statistics.of(alive))
        self._lists = Inverted(InvertedConfig(), docs=self._counts)

    def best(self, queries: Sequence[str], k: int) -> Tensor:
        """(Q, k) rows of the documents with the highest scores; -1 pads."""
        return self._lists.search(self._model.encode_query(queries), k, self._alive).rows

    def scores(self, queries: Sequence[str], rows: Sequence[Sequence[int]]) -> list[list[float]]:
        """Of each query's own documents."""
        f = self._model.encode_query(queries)
        return [f[q : q + 1](self._counts[torch.tensor(own)])[0].tolist() for q, own in enumerate(rows)]
