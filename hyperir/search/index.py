"""`Index`: a folder of documents and vectors (`hyperir.index.store`) together with the model that reads queries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.core.types import Encoder, Hit, Hits, Relevance, Row, Strategy
from hyperir.encode import load
from hyperir.index.commit import Dtype, EncoderRecord, Kind
from hyperir.index.filters import Filter
from hyperir.index.store import Past, Store
from hyperir.index.verify import Report
from hyperir.search import adding, structures
from hyperir.search.export import export
from hyperir.search.fingerprint import check_fingerprint, kind_of
from hyperir.search.fitting import IndexModel
from hyperir.search.reading import read_hits, read_scores, without_strangers
from hyperir.search.rebuilding import Rebuilder
from hyperir.search.recall import RecallEstimate, estimate
from hyperir.search.run import run_of
from hyperir.search.searchers import Searchers

__all__ = ["Index"]

PIECE = 16  # batches encoded and written together
RECENT = 64  # texts searched for last, on which recall is estimated where no queries are given


class Index:
    """Documents on disk, searched by learned relevance functions. Made by `Index.create` or `Index.open`.

    One process changes an index at a time. Another one waits as many seconds as its `wait` says, and then raises
    LockedError, which names the first. Readers never wait: they see the commit that they opened.

    A search structure that many documents came or went since is built again after the change that made it due, in a
    thread of its own: searches use the old one meanwhile, and the new one from the next change or `refresh` on. With
    `rebuilds = False` it stays as it is until it is built.

    Args:
        store: the folder.
        model: what encodes; None loads, when it is first needed, the one that was fitted to the index, else the one
            that made its vectors.
    """

    def __init__(self, store: Store, model: Encoder[Any] | None = None) -> None:
        self.store = store
        self._model = IndexModel(model)
        if model is not None:
            check_fingerprint(store, model)
        self._searchers = Searchers()
        self._turn = threading.RLock()
        self._rebuilder = Rebuilder(self._turn)
        self.rebuilds = True
        self._recent: deque[str] = deque(maxlen=RECENT)
        self.scored = 0  # documents scored for a query of the last search, at most; see `Hits.scored`
        self.strategy: Config | None = None  # what answered the last search: what "auto" chose

    @classmethod
    def create(
        cls,
        path: str | Path,
        model: Encoder[Any] | str | None = None,
        *,
        width: int | None = None,
        dtype: Dtype = "float32",
        kind: Kind = "dense",
    ) -> Index:
        """Make an empty index in a new folder.

        Args:
            path: the folder; it must not hold anything yet.
            model: a model or the name of one, as "bm25"; or None with `width`, for vectors of one's own.
            width, kind: of one's own: D, and "dense" for one vector a document or "multi" for several; or how many
                terms there are, and "sparse".
            dtype: how vectors or weights are stored; float16 halves the disk and memory they take.
        """
        model = load(model) if isinstance(model, str) else model
        if model is None and width is None:
            raise InputError("an index needs a model, or the width of the vectors you bring", got="neither")
        if model is not None and width not in (None, model.width):
            raise InputError(f"{model.name} makes vectors {model.width} wide", got=f"width = {width}")
        record = None if model is None else EncoderRecord(name=model.name, fingerprint=model.fingerprint)
        kind, width = (kind, width or 0) if model is None else (kind_of(model), model.width)
        return cls(Store.create(path, width=width, dtype=dtype, kind=kind, encoder=record), model)

    @classmethod
    def open(cls, path: str | Path, model: Encoder[Any] | str | None = None, *, commit: int | None = None) -> Index:
        """Open an index at its newest commit or an older one. It stays there until `refresh` or a change of its own.

        Args:
            path: the folder.
            model: another model with the same document side, for example one with another relevance function; None
                takes the one that was fitted to the index, else the one that made it.
            commit: the number of a commit that `history` lists.

        Raises:
            InputError: there is no index, or no such commit; names those that there are.
            FingerprintError: the model's document vectors differ from those of the index.
        """
        store = Store.open(path, commit)
        return cls(store, load(model) if isinstance(model, str) else model)

    def __len__(self) -> int:
        return len(self.store)

    @property
    def number(self) -> int:
        """Of the commit that is searched; it grows with every change."""
        return self.store.number

    def history(self) -> list[Past]:
        """The commits that can be opened, oldest first: their number, time, documents, and what each changed."""
        return self.store.history()

    def refresh(self) -> None:
        """Go to the newest commit, which another process may have made."""
        self.store = self.store.refresh()

    @property
    def model(self) -> Encoder[Any]:
        """What encodes queries and documents, loaded when first needed; its queries know the documents as they are."""
        return self._model.fitted(self.store, lambda structure: self._searchers.tensors(self.store, structure))

    def add(
        self,
        rows: Iterable[Row],
        vectors: Any = None,
        *,
        batch_size: int = 32,
        total: int | None = None,
        show_progress: bool = True,
        checkpoint: float | None = 300.0,
        resume: bool = False,
        wait: float = 0.0,
    ) -> int:
        """Add documents. The lock is held meanwhile; readers go on.

        - With vectors of one's own, or in less than `checkpoint` seconds, all are added or on an error none.
        - A longer add is committed every `checkpoint` seconds, and by Ctrl-C. An error or a kill loses what came after
          the last commit. A note on the error says how many documents are in, and `resume=True` goes on after them:
          nothing that was committed is encoded again.
        - A list is checked before its first document is encoded, so that bad rows change nothing.

        Args:
            rows: {"id", "text", "title"?, ...metadata}, streamed.
            vectors: (N, D) of one's own, a torch tensor or numpy array; `Multi`; `Sparse`; else the model encodes.
            batch_size: documents encoded at once.
            total: how many rows there are, for the bar.
            show_progress: show the bar.
            checkpoint: seconds between two commits; None makes every add all or nothing.
            resume: pass over rows whose ids the index had before, without a look at their texts.
            wait: seconds, where another process writes.

        Returns:
            How many were added.

        Raises:
            InputError, VectorError, DuplicateIdError: names the row.
        """
        # Before the lock is taken, since it may load the model.
        encode = None if vectors is not None else adding.encoder(self._model.plain(self.store), batch_size)
        with self._turn, Progress("Indexing", total or adding.length(rows), "passages", show=show_progress) as bar:
            added = adding.add(
                self.store,
                rows,
                vectors,
                encode,
                piece=PIECE * batch_size,
                checkpoint=checkpoint,
                resume=resume,
                wait=wait,
                bar=bar,
            )
        self._changed()
        return added

    def update(
        self,
        rows: Iterable[Row],
        vectors: Any = None,
        *,
        insert_missing: bool = False,
        batch_size: int = 32,
        total: int | None = None,
        show_progress: bool = True,
        wait: float = 0.0,
    ) -> int:
        """Replace documents by their ids, as one commit: all of them, or on an error or interruption none.

        Everything of a document is new, its metadata as well.

        Args:
            rows: as for `add`.
            vectors: as for `add`.
            insert_missing: add documents whose ids the index does not have, which else is an error.
            batch_size, total, show_progress, wait: as for `add`.

        Returns:
            How many were replaced.

        Raises:
            InputError: an id that the index does not have, or a row that cannot be stored; names it.
        """
        encode = None if vectors is not None else adding.encoder(self._model.plain(self.store), batch_size)
        with self._turn, Progress("Updating", total or adding.length(rows), "passages", show=show_progress) as bar:
            replaced = adding.update(
                self.store,
                rows,
                vectors,
                encode,
                piece=PIECE * batch_size,
                insert_missing=insert_missing,
                wait=wait,
                bar=bar,
            )
        self._changed()
        return replaced

    def delete(
        self,
        ids: Iterable[str] = (),
        *,
        where: str | Filter | None = None,
        missing_ok: bool = False,
        wait: float = 0.0,
    ) -> int:
        """Delete documents, as one commit. Their ids may be added again later.

        Args:
            ids: which; a repeated one counts once.
            where: instead of ids, the documents that pass this filter, such as "year < 2020".
            missing_ok: pass over ids that the index does not have, which else is an error.
            wait: seconds, where another process writes.

        Returns:
            How many were deleted.

        Raises:
            InputError: an id that the index does not have, or a filter that cannot be used; nothing was deleted.
        """
        with self._turn:
            deleted = adding.delete(self.store, ids, where, missing_ok, wait)
        self._changed()
        return deleted

    def compact(self, keep: int = 1, *, wait: float = 0.0) -> None:
        """Write what is alive again in one piece, without what was deleted, and give up older commits.

        Results of exhaustive search stay the same. Search structures that documents came or went since are built again,
        so that nothing of what was deleted stays in them. Meanwhile the disk holds the old files and the copy.

        Args:
            keep: commits that stay, the new one included.
            wait: seconds, where another process writes.

        Raises:
            InputError: keep < 1.
            StoreError: the disk has no room for the copy; nothing was changed.
        """
        with self._turn:
            self.store = self.store.compact(keep, wait)

    def build(
        self,
        strategy: Mapping[str, Any] | Config | str | None = None,
        *,
        columns: Iterable[str] = (),
        queries: Sequence[str] | Relevance[Any] | None = None,
        wait: float = 0.0,
        show_progress: bool = True,
    ) -> None:
        """Keep with the index what makes searches faster: what a strategy builds, and indices of metadata columns.

        A structure serves every search that asks for its strategy, by name or by settings that agree with it. Documents
        that come later are scored one and all, until so many came or went that it is built again. In place of one with
        the same settings, of those that decide what is built. The lock is held meanwhile; readers go on.

        An index of a column makes filters over it quick. It covers the rows that there are; later ones are read, until
        this is called again or the index is compacted.

        Args:
            strategy: a member of `STRATEGIES` that builds something, by name or configuration.
            columns: of numbers, strings, dates, times or booleans; or "id".
            queries: for "bipartite", training queries: texts, or their relevance functions.
            wait: seconds, where another process writes.
            show_progress: show bars.

        Raises:
            InputError: neither is given; a column that is not there or that cannot have an index; a strategy that
                builds nothing, or that needs queries.
        """
        f = None if queries is None else self._functions(queries)
        with self._turn:
            structures.build(self.store, strategy, columns, f, wait, show_progress)
        self.refresh()

    def drop(self, strategy: Mapping[str, Any] | Config | str, *, wait: float = 0.0) -> int:
        """Give up the structures of a strategy: all of them by its name, or those that agree with a configuration.

        Returns:
            How many; none is no error.
        """
        with self._turn:
            dropped = structures.drop(self.store, strategy, wait)
        self.refresh()
        return dropped

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until no structure is being built again in the background, and go to the newest commit.

        Returns:
            false where one still is after `timeout` seconds.

        Raises:
            HyperIRError: what the last one failed with. Nothing was changed by that, and nothing lost.
        """
        done = self._rebuilder.settle(timeout)
        self.refresh()
        return done

    def _changed(self) -> None:
        """Go to the commit that was made, and have structures built again that it made due."""
        self.refresh()
        if self.rebuilds:
            self._rebuilder.start(self.store)

    def export(
        self,
        path: str | Path,
        format: Literal["parquet", "beir"] = "parquet",  # noqa: A002 - as users say it
        *,
        where: str | Filter | None = None,
        vectors: bool = True,
        show_progress: bool = True,
    ) -> int:
        """Write the documents, in their order and without the deleted ones, to a file that other tools read; streamed.

        "parquet" is one file with the columns id, title, text, vector and the metadata, of which dictionaries and lists
        are JSON text. "beir" is a folder with a corpus.jsonl; metadata stand beside the text, dates and times as
        ISO 8601, bytes as base64. Both are collections that can be indexed again. A metadata column whose name is taken
        gets a "_" behind it.

        Args:
            path: of the new file or folder; nothing is overwritten.
            format: "parquet" or "beir".
            where: only documents that pass this filter.
            vectors: with the vectors, in Parquet; BEIR has no place for them.
            show_progress: show a bar.

        Returns:
            How many documents were written.

        Raises:
            InputError: the path exists, or the format or filter cannot be used; nothing was written.
            StoreError: the disk failed; nothing is left of the file.
        """
        return export(self.store, path, format, where, vectors, show_progress)

    def search(
        self,
        queries: Sequence[str] | Relevance[Any],
        k: int = 10,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
        budget: int | str | None = None,
    ) -> list[list[Hit]]:
        """The k best documents of every query, best first.

        Args:
            queries: a list of texts; or a relevance function, for vectors of one's own or functions of one's own.
            k: how many; fewer come back where the index holds fewer, or fewer share a term with the query.
            strategy: "auto", whose rules `hyperir.search.auto.choose` tells; or a member of `STRATEGIES`, by name or
                configuration, for example {"type": "exact", "first_pass": "bfloat16"}.
            where: only documents that pass this filter, such as "year >= 2020"; see `hyperir.index.filters`.
            budget: documents scored for a query at most, centroids and gradients included. Or a time a query, such as
                "5ms": it is aimed at, by a pace measured once on this machine, and sometimes exceeded.

        Raises:
            InputError: a budget that the strategy cannot keep; "auto" keeps any that pays for a few documents.
        """
        hits = self.find(queries, k, strategy=strategy, where=where, budget=budget)
        return [
            read_hits(self.store, rows, scores)
            for rows, scores in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
        ]

    def find(
        self,
        queries: Sequence[str] | Relevance[Any],
        k: int = 10,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
        budget: int | str | None = None,
    ) -> Hits:
        """As `search`, but rows and scores only, without reading texts."""
        return self._find(self._functions(queries), k, strategy, where, budget)

    def _find(
        self,
        f: Relevance[Any],
        k: int,
        strategy: Mapping[str, Any] | Config | str,
        where: str | Filter | None,
        budget: int | str | None,
    ) -> Hits:
        allowed = self.store.allowed(where)
        self.strategy, limit = self._searchers.planner(self.store).plan(strategy, f, k, allowed, budget)
        hits = self.searcher(self.strategy).search(f, k, allowed, limit)
        self.scored = hits.scored
        return without_strangers(f, hits)

    def run(
        self,
        queries: dict[str, str],
        k: int = 1000,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
        budget: int | str | None = None,
    ) -> dict[str, dict[str, float]]:
        """A run, query id -> document id -> score in rank order, for `evaluate` and for TREC files.

        Queries go in blocks, so that memory stays bounded.
        """

        def answer(texts: list[str]) -> list[dict[str, float]]:
            f = self._functions(texts, bar=False)
            return read_scores(self.store, self._find(f, k, strategy, where, budget))

        return run_of(queries, answer)

    def estimate_recall(
        self,
        queries: Sequence[str] | Relevance[Any] | None = None,
        k: int = 10,
        *,
        strategy: Mapping[str, Any] | Config | str = "auto",
        where: str | Filter | None = None,
        budget: int | str | None = None,
    ) -> RecallEstimate:
        """How much of the k best a strategy finds: the queries are searched with it and exhaustively, and compared.

        The exhaustive searches are the cost: some 64 queries tell enough.

        Args:
            queries: texts or functions, like those that matter; None takes the last 64 texts searched for.
            k, strategy, where, budget: as for `search`.

        Raises:
            InputError: there are no queries.
        """
        given: Sequence[str] | Relevance[Any] = list(self._recent) if queries is None else queries
        if not (len(given) if isinstance(given, Sequence) else given.num_queries):
            raise InputError(
                "recall is estimated on queries, and there are none", fix="pass `queries`, or search for texts before"
            )
        f = self._functions(given)
        truth = self._find(f, k, "exact", where, None)
        found = self._find(f, k, strategy, where, budget)
        assert self.strategy is not None
        return estimate(found, truth, k, self.strategy.model_dump()["type"])

    def searcher(self, strategy: Mapping[str, Any] | Config | str) -> Strategy[Any]:
        """A strategy over this commit, as searches use it: of a structure on disk, else built in memory."""
        return self._searchers.get(self.store, strategy)

    def info(self) -> dict[str, Any]:
        """What the index holds, in plain values."""
        failed = self._rebuilder.failed
        return self.store.info() | ({} if failed is None else {"rebuild_failed": str(failed)})

    def verify(self, show_progress: bool = True) -> Report:
        """Read everything again and compare it with what was committed."""
        return self.store.verify(show_progress)

    def _functions(self, queries: Sequence[str] | Relevance[Any], *, bar: bool = True) -> Relevance[Any]:
        if isinstance(queries, str):
            raise InputError("one query where many are searched", expected=f"a list: [{queries!r}]", got="a string")
        if isinstance(queries, Sequence):
            f: Relevance[Any] = self.model.encode_query(queries, show_progress_bar=bar)
            self._recent.extend(queries)
            return f
        return queries
