"""A bare model over a collection that it holds in memory: no index is written, and each search says what it cost."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hyperir.core.docs import Sparse
from hyperir.core.errors import CapabilityError, CollectionError, InputError
from hyperir.core.progress import Progress
from hyperir.core.types import Encoder, Fitting
from hyperir.corpus.collection import Collection
from hyperir.encode import load
from hyperir.encode.lexical import is_lexical
from hyperir.encode.needs import say_needs, survey
from hyperir.index.checks import check_rows
from hyperir.index.strategies import STRATEGIES, check_serves
from hyperir.search.held import Held
from hyperir.search.reading import without_strangers
from hyperir.search.run import run_of

__all__ = ["Bare", "Cost", "check_strategy"]

AUTO = "auto"
BLOCK = 16  # batches encoded together: sorted by length, they waste little on padding

# Texts, k -> for each, document id -> score in rank order; and what was scored for all of them together.
_Search: TypeAlias = Callable[[list[str], int], tuple[list[dict[str, float]], int]]


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Args:
        documents: in the collection.
        index_bytes: of the vectors, or of counted words.
        build_seconds: reading and encoding or indexing the collection, and building the strategy.
        query_ms: milliseconds a query, encoding it included, queries in blocks of 64.
        scored: documents, and other points such as centroids, scored a query; the mean, over blocks of queries of
            each block's most, where inverted lists do not tell it of every query.
        built_bytes: of what the strategy built beside the vectors, and keeps on disk where there is an index.
    """

    documents: int
    index_bytes: int
    build_seconds: float
    query_ms: float
    scored: float
    built_bytes: int = 0


class Bare:
    """Documents encoded, or their words counted, once; then searched as often as wanted.

    Memory holds every document's id and representation, of vectors N x D x 4 bytes, and the texts of one block.

    Args:
        model: a model, or what `hyperir.load` takes, as "bm25".
        collection: the documents; they are read twice, first for their number.
        batch_size: documents encoded at once.
        show_progress: tell time and memory before the work, and show bars.

    Raises:
        ModelError: there is no such model.
        CollectionError, InputError, DuplicateIdError: a document cannot be used; names it.
    """

    def __init__(
        self,
        model: Encoder[Any] | str,
        collection: Collection,
        *,
        batch_size: int = 32,
        show_progress: bool = True,
    ) -> None:
        start = time.perf_counter()
        self.show_progress = show_progress
        encoder: Encoder[Any] = load(model) if isinstance(model, str) else model
        self._held = _Encoded(encoder, collection, batch_size, show_progress)
        self._exact, _ = self._held.searcher(AUTO)
        self._seconds = time.perf_counter() - start

    def beside(self, model: Encoder[Any]) -> Bare:
        """The same documents under another model's queries, without encoding them again.

        Raises:
            InputError: the other model makes other representations of documents.
        """
        if self._held.encoder.fingerprint != model.fingerprint:
            raise InputError(
                "these documents were made by another model",
                expected="a model with the same documents' side",
                got=repr(model.name),
            )
        other = copy.copy(self)
        other._held = self._held.under(model)
        other._exact, _ = other._held.searcher(AUTO)
        return other

    def answer(self, texts: list[str], k: int) -> list[dict[str, float]]:
        """The k best documents of every text for certain, as document id -> score in rank order."""
        return self._exact(texts, k)[0]

    def run(
        self, queries: Mapping[str, str], k: int = 1000, *, strategy: Mapping[str, Any] | str = AUTO
    ) -> tuple[dict[str, dict[str, float]], Cost]:
        """A run, query id -> document id -> score in rank order, and what it cost.

        Args:
            queries: texts by query id.
            k: answers a query, at most.
            strategy: a member of `STRATEGIES`, by name or configuration; "auto" is one that finds the best for certain,
                "inverted" for weights of terms and "exact" for others.

        Raises:
            CapabilityError: the strategy cannot serve the model's relevance function.
        """
        start = time.perf_counter()
        search, size = self._held.searcher(strategy)
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
        return run, Cost(self._held.documents, self._held.nbytes, built, 1000 * seconds / n, scored / n, size)


def check_strategy(model: str, strategy: Mapping[str, Any] | str, *, where: str = "") -> None:
    """Raise before any work unless there is such a strategy with such settings, and words can be searched by it.

    Args:
        model: its name.
        strategy: as of `Bare.run`.
        where: whose strategy it is, for errors.

    Raises:
        InputError, ConfigError: names what is wrong.
    """
    if strategy == AUTO:
        return
    config = STRATEGIES.parse(strategy)
    if is_lexical(model):
        try:
            check_serves(config, "sparse")
        except CapabilityError as error:
            told = f" ({where})" if where else ""
            raise InputError(f"{model}{told}: {error.what}", expected=error.expected, got=error.got) from None


class _Encoded:
    """Documents held as their representations, put together as the collection streams by."""

    def __init__(self, encoder: Encoder[Any], collection: Collection, batch_size: int, show_progress: bool) -> None:
        found = survey(collection, show_progress=show_progress)
        held = Held(encoder, found.documents)
        if show_progress:
            say_needs(encoder, collection, found, batch_size, memory=held.planned)
        places: dict[str, int] = {}
        stream = collection.documents()
        with Progress("Encoding", found.documents, "passages", show=show_progress) as bar:
            while rows := list(itertools.islice(stream, BLOCK * batch_size)):
                start = len(places)
                check_rows(rows, start, places)
                if len(places) > found.documents:
                    break
                encoded = encoder.encode_document(rows, batch_size=batch_size, show_progress_bar=False)
                held.put(start, encoded)
                bar.advance(len(rows))
        if len(places) != found.documents:
            raise CollectionError(
                f"the collection {collection.name!r} changed while it was read",
                expected=f"{found.documents:,} documents, as at the first reading",
                got=f"{len(places):,}" + (" or more" if len(places) > found.documents else ""),
                fix="try again when nobody writes to it",
            )
        # One that must know what is searched, as words must, knows it now.
        self.encoder = encoder.fitted(held.docs) if isinstance(encoder, Fitting) else encoder
        self._ids, self._docs = list(places), held
        self.documents, self.nbytes = found.documents, held.docs.nbytes

    def under(self, encoder: Encoder[Any]) -> _Encoded:
        """The same documents, for another model's queries."""
        other = copy.copy(self)
        other.encoder = encoder.fitted(self._docs.docs) if isinstance(encoder, Fitting) else encoder
        return other

    def searcher(self, strategy: Mapping[str, Any] | str) -> tuple[_Search, int]:
        """What searches, and the bytes of what was built for it."""
        terms = isinstance(self._docs.docs, Sparse)
        built, size = self._docs.searched(("inverted" if terms else "exact") if strategy == AUTO else strategy)

        def search(texts: list[str], k: int) -> tuple[list[dict[str, float]], int]:
            f = self.encoder.encode_query(texts, show_progress_bar=False)
            # Lists are added up query by query anyway, and so each says how long its own were.
            parts = [f[slice(q, q + 1)] for q in range(len(texts))] if terms else [f]
            answers = [without_strangers(part, built.search(part, k)) for part in parts]
            found = [
                {self._ids[row]: score for row, score in zip(rows, scores, strict=True) if row >= 0}
                for hits in answers
                for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
            ]
            return found, sum(hits.scored * len(hits.rows) for hits in answers)

        return search, size
