"""`Index`: a folder of documents and vectors (`hyperir.index.store`) together with the model that reads queries."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import FingerprintError, InputError, VectorError
from hyperir.core.progress import Progress
from hyperir.core.types import Encoder, Hit, Hits, Relevance, Row
from hyperir.encode import load
from hyperir.index.checks import check_rows
from hyperir.index.commit import Dtype, EncoderRecord
from hyperir.index.filters import Filter
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.index.verify import Report
from hyperir.search.run import run_of

__all__ = ["Index"]

CHUNK = 4096  # documents encoded and written together: 6 MB of vectors 384 wide
AUTO = "exact"  # the strategy that "auto" means while exhaustive search is the only one


class Index:
    """Documents on disk, searched by learned relevance functions. Made by `Index.create` or `Index.open`.

    Args:
        store: the folder.
        model: what encodes; None loads the model that the folder names when it is first needed.
    """

    def __init__(self, store: Store, model: Encoder[Dense] | None = None) -> None:
        self.store = store
        self._model = model
        if model is not None:
            _check_fingerprint(store, model)
        self.scored = 0  # documents scored for a query of the last search

    @classmethod
    def create(
        cls,
        path: str | Path,
        model: Encoder[Dense] | str | None = None,
        *,
        width: int | None = None,
        dtype: Dtype = "float32",
    ) -> Index:
        """Make an empty index in a new folder.

        Args:
            path: the folder; it must not hold anything yet.
            model: a model or the name of one; or None with `width`, for vectors of one's own.
            width: D of vectors of one's own.
            dtype: how vectors are stored; float16 halves the disk and memory they take.
        """
        if isinstance(model, str):
            model = load(model)
        if model is None and width is None:
            raise InputError("an index needs a model, or the width of the vectors you bring", got="neither")
        if model is not None and width not in (None, model.width):
            raise InputError(f"{model.name} makes vectors {model.width} wide", got=f"width = {width}")
        record = None if model is None else EncoderRecord(name=model.name, fingerprint=model.fingerprint)
        store = Store.create(path, width=model.width if model else width or 0, dtype=dtype, encoder=record)
        return cls(store, model)

    @classmethod
    def open(cls, path: str | Path, model: Encoder[Dense] | str | None = None) -> Index:
        """Open an index at its newest commit.

        Args:
            path: the folder.
            model: another model with the same document side, for example one with another relevance function; None
                takes the model that made the index.

        Raises:
            FingerprintError: the model's document vectors differ from those of the index.
        """
        store = Store.open(path)
        return cls(store, load(model) if isinstance(model, str) else model)

    def __len__(self) -> int:
        return len(self.store)

    @property
    def model(self) -> Encoder[Dense]:
        """What encodes queries and documents, loaded when first needed."""
        if self._model is None:
            if self.store.encoder is None:
                raise InputError(
                    f"{self.store.path} holds vectors of your own, and no model that reads text",
                    fix="search with a relevance function, `index.search(f)`, or open it with `model=`",
                )
            model = load(self.store.encoder.name)
            _check_fingerprint(self.store, model)
            self._model = model
        return self._model

    def add(
        self,
        rows: Iterable[Row],
        vectors: Any = None,
        *,
        batch_size: int = 32,
        total: int | None = None,
        show_progress: bool = True,
    ) -> int:
        """Add documents, as one commit: all of them, or on an error or interruption none.

        Args:
            rows: {"id", "text", "title"?, ...metadata}, streamed.
            vectors: (N, D) of one's own, a torch tensor or numpy array; else the model encodes.
            batch_size: documents encoded at once.
            total: how many rows there are, for the bar.
            show_progress: show the bar.

        Returns:
            How many were added.

        Raises:
            InputError, VectorError, DuplicateIdError: names the row; nothing was added.
        """
        with (
            self.store.writer() as writer,
            Progress("Indexing", total or _length(rows), "passages", show=show_progress) as bar,
        ):
            for chunk, own in _chunks(rows, vectors):
                check_rows(chunk, writer.added)
                if own is None:
                    for some in _cut(chunk, 16 * batch_size):
                        encoded = self._encode(some, batch_size)
                        writer.append(some, encoded)
                        bar.advance(len(some))
                else:
                    writer.append(chunk, own)
                    bar.advance(len(chunk))
            added = writer.added
        self.store = self.store.refresh()
        return added

    def _encode(self, rows: Sequence[Row], batch_size: int) -> torch.Tensor:
        return self.model.encode_document(rows, batch_size=batch_size, show_progress_bar=False).vectors

    def search(
        self,
        queries: Sequence[str] | Relevance[Dense],
        k: int = 10,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
    ) -> list[list[Hit]]:
        """The k best documents of every query, best first.

        Args:
            queries: a list of texts; or a relevance function, for vectors of one's own or functions of one's own.
            k: how many; fewer come back where the index holds fewer.
            strategy: "auto"; or a member of `STRATEGIES`, by name or configuration, for example
                {"type": "exact", "first_pass": "bfloat16"}.
            where: only documents that pass this filter, such as "year >= 2020"; see `hyperir.index.filters`.
        """
        hits = self.find(queries, k, strategy=strategy, where=where)
        return [self._read(rows, scores) for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)]

    def find(
        self,
        queries: Sequence[str] | Relevance[Dense],
        k: int = 10,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
    ) -> Hits:
        """As `search`, but rows and scores only, without reading texts."""
        allowed = self.store.allowed(where)
        f = self._functions(queries)
        searcher = STRATEGIES.build(AUTO if strategy == "auto" else strategy, docs=self.store.docs)
        hits = searcher.search(f, k, allowed)
        self.scored = hits.scored
        return hits

    def run(
        self,
        queries: dict[str, str],
        k: int = 1000,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
    ) -> dict[str, dict[str, float]]:
        """A run, query id -> document id -> score in rank order, for `evaluate` and for TREC files.

        Queries go in blocks, so that memory stays bounded.
        """

        def answer(texts: list[str]) -> Iterator[dict[str, float]]:
            hits = self.find(texts, k, strategy=strategy, where=where)
            for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True):
                kept = [row for row in rows if row >= 0]
                yield dict(zip(self.store.ids(kept), scores[: len(kept)], strict=True))

        return run_of(queries, answer)

    def info(self) -> dict[str, Any]:
        """What the index holds, in plain values."""
        return self.store.info()

    def verify(self, show_progress: bool = True) -> Report:
        """Read everything again and compare it with what was committed."""
        return self.store.verify(show_progress)

    def _functions(self, queries: Sequence[str] | Relevance[Dense]) -> Relevance[Dense]:
        if isinstance(queries, str):
            raise InputError("one query where many are searched", expected=f"a list: [{queries!r}]", got="a string")
        if isinstance(queries, Sequence):
            return self.model.encode_query(queries)
        return queries

    def _read(self, rows: list[int], scores: list[float]) -> list[Hit]:
        kept = [row for row in rows if row >= 0]
        hits = []
        for rank, (row, score) in enumerate(zip(self.store.rows(kept), scores, strict=False), 1):
            metadata = {key: value for key, value in row.items() if key not in ("id", "text", "title")}
            hits.append(Hit(row["id"], score, rank, row["text"], row["title"], metadata))
        return hits


def _check_fingerprint(store: Store, model: Encoder[Dense]) -> None:
    made_by = store.encoder
    if made_by is not None and made_by.fingerprint != model.fingerprint:
        raise FingerprintError(
            f"{store.path} was made by another model",
            expected=f"document vectors of {made_by.name!r} (fingerprint {made_by.fingerprint[:12]})",
            got=f"{model.name!r} (fingerprint {model.fingerprint[:12]})",
            fix=f"open it with {made_by.name!r}, or index the documents again with {model.name!r}",
        )
    if model.width != store.width:
        raise FingerprintError(
            f"{store.path} holds vectors {store.width} wide",
            got=f"{model.name!r}, which makes vectors {model.width} wide",
        )


def _chunks(rows: Iterable[Row], vectors: Any) -> Iterator[tuple[list[Row], Any]]:
    """Rows in chunks, each with its part of the vectors that were brought."""
    stream = iter(rows)
    place = 0
    while chunk := list(itertools.islice(stream, CHUNK)):
        own = None if vectors is None else vectors[place : place + len(chunk)]
        place += len(chunk)
        yield chunk, own
    if vectors is not None and len(vectors) != place:
        raise VectorError(
            "there must be one vector a document", expected=f"{place:,} vectors", got=f"{len(vectors):,} vectors"
        )


def _cut(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    return (list(items[at : at + size]) for at in range(0, len(items), size))


def _length(rows: Iterable[Row]) -> int | None:
    return len(rows) if isinstance(rows, Sequence) else None
