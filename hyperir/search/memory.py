"""A collection searched without an index: encoded into memory, every document scored, nothing written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TypeAlias

from hyperir.core.docs import Dense
from hyperir.core.errors import CollectionError
from hyperir.core.progress import Progress, track
from hyperir.core.types import Encoder
from hyperir.corpus.collection import Collection
from hyperir.encode import load
from hyperir.encode.needs import say_needs, survey
from hyperir.index.checks import check_rows
from hyperir.relevance.lexical import LEXICAL
from hyperir.search.held import Held
from hyperir.search.lexical import LexicalIndex
from hyperir.search.run import run_of

__all__ = ["Answer", "run_in_memory", "search_in_memory"]

Answer: TypeAlias = Callable[[list[str], int], list[dict[str, float]]]  # texts, k -> id -> score in rank order, of each

BLOCK = 16  # batches encoded together: sorted by length, they waste little on padding


def run_in_memory(
    model: Encoder[Dense] | str,
    collection: Collection,
    queries: Mapping[str, str],
    k: int = 1000,
    *,
    batch_size: int = 32,
    show_progress: bool = True,
) -> dict[str, dict[str, float]]:
    """What a bare model answers to queries, by exhaustive search under its own relevance function.

    Memory holds every document's id and vector, N x D x 4 bytes, and the texts of one block; of words all texts.

    Args:
        model: a model, what `hyperir.load` takes, or a member of `LEXICAL`: "bm25" or "tfidf".
        collection: the documents; read twice, first for their number.
        queries: texts by query id.
        k: answers a query, at most.
        batch_size: documents encoded at once.
        show_progress: tell time and memory before the work, and show bars.

    Raises:
        ModelError: there is no such model.
        CollectionError, InputError, DuplicateIdError: a document cannot be used; names it.
    """
    answer = search_in_memory(model, collection, batch_size=batch_size, show_progress=show_progress)
    return run_of(queries, lambda texts: answer(texts, k), show_progress=show_progress)


def search_in_memory(
    model: Encoder[Dense] | str, collection: Collection, *, batch_size: int = 32, show_progress: bool = True
) -> Answer:
    """What answers queries over a collection that it holds; arguments and errors as of `run_in_memory`."""
    if isinstance(model, str) and model in list(LEXICAL):
        rows = list(track(collection.documents(), "Reading", collection.count, "documents", show=show_progress))
        index = LexicalIndex(model)
        index.add(rows, show_progress=show_progress)
        return lambda texts, k: [{hit.id: hit.score for hit in hits} for hits in index.search(texts, k)]
    encoder = load(model) if isinstance(model, str) else model
    ids, held = _encoded(encoder, collection, batch_size, show_progress)
    exact = held.searched("exact")

    def answer(texts: list[str], k: int) -> list[dict[str, float]]:
        hits = exact.search(encoder.encode_query(texts, show_progress_bar=False), k)
        return [
            {ids[row]: score for row, score in zip(rows, scores, strict=True) if row >= 0}
            for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
        ]

    return answer


def _encoded(
    encoder: Encoder[Dense], collection: Collection, batch_size: int, show_progress: bool
) -> tuple[list[str], Held]:
    """The documents' ids, and what they were encoded as, put together as the collection streams by."""
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
    return list(places), held
