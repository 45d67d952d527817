"""A bare model over a collection that it holds in memory: no index is written, and each search says what it cost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from hyperir.core.docs import Dense, Multi
from hyperir.core.errors import CollectionError, InputError
from hyperir.core.progress import Progress, track
from hyperir.core.types import Encoder
from hyperir.corpus.collection import Collection
from hyperir.encode import load
from hyperir.encode.needs import say_needs, stored_bytes, survey
from hyperir.index.checks import check_rows
from hyperir.index.strategies import STRATEGIES, check_serves
from hyperir.relevance.lexical import LEXICAL
from hyperir.search.fingerprint import kind_of
from hyperir.search.lexical import LexicalIndex
from hyperir.search.run import run_of

__all__ = ["Bare", "Cost", "check_strategy"]

BLOCK = 16  # batches encoded together: sorted by length, they waste little on padding

# Texts, k -> for each, document id -> score in rank order; and what was scored for all of them together.
_Search: TypeAlias = Callable[[list[str], int], tuple[list[dict[str, float]], int]]


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Args:
        documents: in the collection.
        index_bytes: of the vectors, or of counted words and their lists; what a strategy builds beside the vectors is
            not counted.
        build_seconds: reading and encoding or indexing the collection, and building the strategy.
        query_ms: milliseconds a query, encoding it included, queries in blocks of 64.
        scored: documents, and other points such as centroids, scored a query; the mean, of vectors that over blocks of
            each one's most.
    """

    documents: int
    index_bytes: int
    build_seconds: float
    query_ms: float
    scored: float


class Bare:
    """Documents encoded, or their words counted, once; then searched as often as wanted.

    Memory holds every document's id and vector, N x D x 4 bytes, and the texts of one block; of words all texts.

    Args:
        model: a model, what `hyperir.load` takes, or a member of `LEXICAL`: "bm25" or "tfidf".
        collection: the documents; a model of vectors reads them twice, first for their number.
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
        self._name = model if isinstance(model, str) else ""
        self._held: _Words | _Vectors
        if isinstance(model, str) and model in list(LEXICAL):
            self._held = _Words(model, collection, show_progress)
        else:
            encoder = load(model) if isinstance(model, str) else model
            self._held = _Vectors(encoder, collection, batch_size, show_progress)
        self._exact = self._held.searcher("exact")
        self._seconds = time.perf_counter() - start

    def answer(self, texts: list[str], k: int) -> list[dict[str, float]]:
        """The k best documents of every text by exhaustive search, as document id -> score in rank order."""
        return self._exact(texts, k)[0]

    def run(
        self, queries: Mapping[str, str], k: int = 1000, *, strategy: Mapping[str, Any] | str = "exact"
    ) -> tuple[dict[str, dict[str, float]], Cost]:
        """A run, query id -> document id -> score in rank order, and what it cost.

        Args:
            queries: texts by query id.
            k: answers a query, at most.
            strategy: a member of `STRATEGIES`, by name or configuration; words have their own only, "exact".

        Raises:
            InputError: a strategy for words.
            CapabilityError: the strategy cannot serve the model's relevance function.
        """
        check_strategy(self._name, strategy)
        start = time.perf_counter()
        search = self._held.searcher(strategy)
        scored = 0

        def answer(texts: list[str]) -> list[dict[str, float]]:
            nonlocal scored
            found, count = search(texts, k)
            scored += count
            return found

        if queries:
            answer([next(iter(queries.values()))])  # what is built or imported at the first search belongs to building
        built = self._seconds + time.perf_counter() - start
        scored = 0
        start = time.perf_counter()
        run = run_of(queries, answer, show_progress=self.show_progress)
        seconds = time.perf_counter() - start
        n = max(len(queries), 1)
        return run, Cost(self._held.documents, self._held.nbytes, built, 1000 * seconds / n, scored / n)


def check_strategy(model: str, strategy: Mapping[str, Any] | str, *, where: str = "") -> None:
    """Raise before any work unless there is such a strategy with such settings, for words none but "exact".

    Args:
        model: its name.
        strategy: as of `Bare.run`.
        where: whose strategy it is, for errors.

    Raises:
        InputError, ConfigError: names what is wrong.
    """
    if model in list(LEXICAL) and strategy not in ("exact", {"type": "exact"}):
        told = f" ({where})" if where else ""
        raise InputError(f"{model} searches its own inverted lists{told}", expected="strategy exact", got=str(strategy))
    STRATEGIES.parse(strategy)


class _Words:
    """Documents held as counted words."""

    def __init__(self, model: str, collection: Collection, show_progress: bool) -> None:
        rows = list(track(collection.documents(), "Reading", collection.count, "documents", show=show_progress))
        self._index = LexicalIndex(model)
        self._index.add(rows, show_progress=show_progress)

    @property
    def documents(self) -> int:
        return len(self._index)

    @property
    def nbytes(self) -> int:
        return self._index.nbytes

    def searcher(self, strategy: Mapping[str, Any] | str) -> _Search:
        return self._search

    def _search(self, texts: list[str], k: int) -> tuple[list[dict[str, float]], int]:
        found, scored = [], 0
        for text in texts:  # the lists are added up query by query anyway, and so each says how long its own were
            (hits,) = self._index.search([text], k)
            found.append({hit.id: hit.score for hit in hits})
            scored += self._index.scored
        return found, scored


class _Vectors:
    """Documents held as vectors, in one block of memory that is filled as the collection streams by.

    Where they have several each, which nobody can count before, the block is made in the end.
    """

    def __init__(self, encoder: Encoder[Any], collection: Collection, batch_size: int, show_progress: bool) -> None:
        found = survey(collection, show_progress=show_progress)
        self._kind = kind_of(encoder)
        vectors, several = torch.empty(found.documents * (self._kind == "dense"), encoder.width), list[Multi]()
        if show_progress:
            memory = stored_bytes(found, encoder.width, "float32", self._kind) / 2
            say_needs(encoder, collection, found, batch_size, memory=memory)
        places: dict[str, int] = {}
        stream = collection.documents()
        with Progress("Encoding", found.documents, "passages", show=show_progress) as bar:
            while rows := list(itertools.islice(stream, BLOCK * batch_size)):
                start = len(places)
                check_rows(rows, start, places)
                if len(places) > found.documents:
                    break
                encoded = encoder.encode_document(rows, batch_size=batch_size, show_progress_bar=False)
                if isinstance(encoded, Multi):
                    several.append(encoded)
                else:
                    vectors[start : len(places)] = encoded.vectors
                bar.advance(len(rows))
        if len(places) != found.documents:
            raise CollectionError(
                f"the collection {collection.name!r} changed while it was read",
                expected=f"{found.documents:,} documents, as at the first reading",
                got=f"{len(places):,}" + (" or more" if len(places) > found.documents else ""),
                fix="try again when nobody writes to it",
            )
        self._encoder, self._ids = encoder, list(places)
        self._docs: Dense | Multi = Multi.cat(several) if several else Dense(vectors)
        self.documents, self.nbytes = found.documents, self._docs.vectors.nbytes

    def searcher(self, strategy: Mapping[str, Any] | str) -> _Search:
        check_serves(STRATEGIES.parse(strategy), self._kind)
        built = STRATEGIES.build(strategy, docs=self._docs)

        def search(texts: list[str], k: int) -> tuple[list[dict[str, float]], int]:
            hits = built.search(self._encoder.encode_query(texts, show_progress_bar=False), k)
            found = [
                {self._ids[row]: score for row, score in zip(rows, scores, strict=True) if row >= 0}
                for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
            ]
            return found, hits.scored * len(texts)

        return search
