"""BEGIN (Tan et al., VLDB 2021): documents are linked through training queries that rank both of them high.

The edges carry f itself, not distance: two documents are near if the same queries want them. It takes training queries
like those to come, and one exhaustive search for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.strategies.exact import Exact, ExactConfig
from hyperir.index.strategies.graph import distinct, random_rows
from hyperir.index.strategies.visits import Visits, answer
from hyperir.index.strategies.walk import walk

__all__ = ["Bipartite"]

TOGETHER = 256  # training queries searched at once


class BipartiteConfig(Config):
    """Configuration of search over a graph of documents and training queries.

    Args:
        top: m, documents that a training query is linked to: the best by its own function.
        degree: training queries that a document is linked to at most: those that rank it highest; of equal ranks the
            earlier query.
        ef: the best documents that are expanded before a query is done; more finds more.
        beam: documents of a query expanded in a round.
        starts: random documents where the walk starts, of those that a training query is linked to. Documents without
            such a link are never found, unless there are no more than `starts` documents in all.
        rounds: at most; None goes on until every query is done.
        seed: of the random documents.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"beam", "ef", "rounds"})

    type: Literal["bipartite"] = "bipartite"
    top: int = 32
    degree: int = 8
    ef: int = 64
    beam: int = 8
    starts: int = 128
    rounds: int | None = None
    seed: int = 0

    def check(self) -> None:
        """Raise InputError for a number below 1."""
        for name in ("top", "degree", "ef", "beam", "starts", "rounds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is at least 1", got=f"{name} = {value}")


class Bipartite:
    """Walks from documents to the training queries that want them, and on to what else those want.

    Filters are treated as by :class:`hyperir.index.strategies.graph.Graph`: forbidden documents are walked through, and
    where no more rows are allowed than `ef` times `top` all of them are scored and none else.

    Args:
        config: see :class:`BipartiteConfig`.
        docs: (N,) representations, of any kind.
        built: what `build` made of them; None makes it now, from `functions`.
        functions: the relevance functions of Q' training queries; needed where `built` is None.
    """

    Config = BipartiteConfig

    def __init__(
        self,
        config: BipartiteConfig,
        *,
        docs: Docs,
        built: Mapping[str, Tensor] | None = None,
        functions: Relevance[Any] | None = None,
    ) -> None:
        config.check()
        self.config, self.docs = config, docs
        built = self.build(config, docs, functions) if built is None else built
        self._documents, self._queries, self._entries = built["documents"], built["queries"], built["entries"]

    @staticmethod
    def build(config: BipartiteConfig, docs: Docs, functions: Relevance[Any] | None = None) -> dict[str, Tensor]:
        """Link documents and training queries.

        Returns:
            `documents` (Q', top) int32, of every training query, best first; `queries` (N, degree) int32, of every
            document, by rank; both padded with -1; and `entries` (E,) int64, ascending.

        Raises:
            InputError: there are no functions.
        """
        config.check()
        if functions is None or not functions.num_queries:
            raise InputError(
                "bipartite is built from the relevance functions of training queries",
                expected="functions of one query or more",
                got="none",
                fix="pass `functions=model.encode_query(texts)`",
            )
        n, exact = docs.shape[0], Exact(ExactConfig(), docs=docs)
        lists = []
        with Progress("Searching for training queries", functions.num_queries, "queries") as bar:
            for start in range(0, functions.num_queries, TOGETHER):
                some = functions[start : start + TOGETHER]
                lists.append(exact.search(some, config.top).rows)
                bar.advance(some.num_queries)
        documents = torch.cat(lists)
        linked = distinct(documents, n)
        entries = (
            torch.arange(n) if n <= config.starts else linked[random_rows(len(linked), config.starts, config.seed)]
        )
        return {"documents": documents.int(), "queries": _turned(documents, n, config.degree), "entries": entries}

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows found, (Q, k); see :class:`hyperir.core.types.Strategy`."""
        few = self.config.ef * self._documents.shape[1]
        return answer(f, self.docs, k, allowed, budget, few, lambda f, allowed: self._search(f, k, allowed, budget))

    def _search(self, f: Relevance[Any], k: int, allowed: Tensor | None, budget: int | None) -> Hits:
        visits = Visits(f, self.docs, budget=budget)
        start = visits.score_shared(self._entries)
        ef, beam, rounds = self.config.ef, self.config.beam, self.config.rounds
        return walk(visits, start, self._expand, k, ef=ef, beam=beam, rounds=rounds, allowed=allowed)

    def _expand(self, rows: Tensor) -> Tensor:
        queries = self._queries[rows.clamp_min(0)].long().masked_fill(rows[..., None] < 0, -1)
        documents = self._documents[queries.clamp_min(0)].long().masked_fill(queries[..., None] < 0, -1)
        return documents.flatten(1)


def _turned(documents: Tensor, n: int, degree: int) -> Tensor:
    """(Q', top) documents of queries -> (N, degree) queries of documents, by rank and then by query."""
    rank, query = (documents.T >= 0).nonzero(as_tuple=True)
    document = documents[query, rank]
    order = document.argsort(stable=True)  # by rank and query already
    document, query = document[order], query[order]
    counts = torch.bincount(document, minlength=n)
    place = torch.arange(len(document)) - (counts.cumsum(0) - counts)[document]
    fits = place < degree
    turned = torch.full((n, degree), -1, dtype=torch.int32)
    turned[document[fits], place[fits]] = query[fits].int()
    return turned
