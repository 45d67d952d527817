"""A bare model over a collection that it holds in memory: many runs, by several strategies, each with what it cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.progress import track
from hyperir.core.types import Encoder
from hyperir.corpus.collection import Collection
from hyperir.encode import load
from hyperir.index.checks import check_rows
from hyperir.index.strategies import STRATEGIES
from hyperir.search.bm25 import BM25
from hyperir.search.memory import _encoded
from hyperir.search.run import run_of

__all__ = ["Bare", "Cost", "check_strategy"]


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Args:
        documents: in the collection.
        index_bytes: of the vectors or the inverted index; what a strategy builds beside the vectors is not counted.
        build_seconds: reading and encoding or indexing the collection, and building the strategy.
        query_ms: milliseconds a query, encoding it included, queries in blocks of 64.
        scored: documents, and other points such as centroids, scored a query; the mean over blocks of each one's most.
    """

    documents: int
    index_bytes: int
    build_seconds: float
    query_ms: float
    scored: float


class Bare:
    """Documents encoded, or indexed by BM25, once; then searched as often as wanted.

    Args:
        model: a model, what `hyperir.load` takes, or "bm25".
        collection: the documents; a model reads them twice, first for their number.
        batch_size: documents encoded at once.
        show_progress: tell time and memory before the work, and show bars.

    Raises:
        ModelError: there is no such model.
        CollectionError, InputError, DuplicateIdError: a document cannot be used; names it.
    """

    def __init__(
        self,
        model: Encoder[Dense] | str,
        collection: Collection,
        *,
        batch_size: int = 32,
        show_progress: bool = True,
    ) -> None:
        start = time.perf_counter()
        self.show_progress = show_progress
        self._bm25: BM25 | None = None
        self._ids: list[str] = []
        if model == "bm25":
            rows = list(track(collection.documents(), "Reading", collection.count, "documents", show=show_progress))
            check_rows(rows, 0)
            self._bm25 = BM25(rows)
            self.documents, self.index_bytes = len(rows), self._bm25.nbytes
        else:
            self._encoder = load(model) if isinstance(model, str) else model
            self._ids, self._held = _encoded(self._encoder, collection, batch_size, show_progress)
            self.documents, self.index_bytes = len(self._ids), self._held.docs.nbytes
        self._seconds = time.perf_counter() - start

    def run(
        self, queries: Mapping[str, str], k: int = 1000, *, strategy: Mapping[str, Any] | str = "exact"
    ) -> tuple[dict[str, dict[str, float]], Cost]:
        """A run, query id -> document id -> score in rank order, and what it cost.

        Args:
            queries: texts by query id.
            k: answers a query, at most.
            strategy: a member of `STRATEGIES`, by name or configuration; BM25 has its own only, "exact".

        Raises:
            InputError: a strategy for BM25.
            CapabilityError: the strategy cannot serve the model's relevance function.
        """
        check_strategy("bm25" if self._bm25 is not None else "", strategy)
        start = time.perf_counter()
        blocks: list[float] = []  # documents scored for all queries of a block together
        if self._bm25 is None:
            searcher = self._held.searched(strategy)

        def by_words(texts: list[str]) -> list[dict[str, float]]:
            assert self._bm25 is not None
            hits = self._bm25.search(texts, k)
            blocks.append(self._bm25.scored)
            return [{hit.id: hit.score for hit in one} for one in hits]

        def by_vectors(texts: list[str]) -> list[dict[str, float]]:
            hits = searcher.search(self._encoder.encode_query(texts), k)
            blocks.append(hits.scored * len(texts))
            return [
                {self._ids[row]: score for row, score in zip(rows, scores, strict=True) if row >= 0}
                for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
            ]

        answer = by_words if self._bm25 is not None else by_vectors
        if queries:
            answer([next(iter(queries.values()))])  # what is built or imported at the first search belongs to building
        built = self._seconds + time.perf_counter() - start
        blocks.clear()
        start = time.perf_counter()
        run = run_of(queries, answer, show_progress=self.show_progress)
        seconds = time.perf_counter() - start
        n = max(len(queries), 1)
        return run, Cost(self.documents, self.index_bytes, built, 1000 * seconds / n, sum(blocks) / n)


def check_strategy(model: str, strategy: Mapping[str, Any] | str, *, where: str = "") -> None:
    """Raise before any work unless there is such a strategy with such settings, for BM25 none but "exact".

    Args:
        model: its name.
        strategy: as of `Bare.run`.
        where: whose strategy it is, for errors.

    Raises:
        InputError, ConfigError: names what is wrong.
    """
    if model == "bm25" and strategy not in ("exact", {"type": "exact"}):
        told = f" ({where})" if where else ""
        raise InputError(f"BM25 searches its own inverted index{told}", expected="strategy exact", got=str(strategy))
    STRATEGIES.parse(strategy)
