"""Inverted lists: for every term the documents that have it. Exact, and pays only for the terms of the query."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Sparse
from hyperir.core.errors import CapabilityError, InputError, VectorError
from hyperir.core.types import Docs, Hits, Listed, Relevance, SparseLinear
from hyperir.index.strategies.postings import Postings, check_postings
from hyperir.index.topk import check_allowed, check_budget, need_k

__all__ = ["Inverted"]


class InvertedConfig(Config):
    """Configuration of inverted lists.

    Args:
        bits: of a weight in the lists: 32 is exact; 8 takes 5 bytes a term of a document in place of 8. Counts are
            exact in both. Learned weights in 8 bits make a score off by at most the sum over the query's terms of
            |q_t| / 510 times the range of weights in the term's list.
    """

    type: Literal["inverted"] = "inverted"
    bits: Literal[8, 32] = 32


class Inverted:
    """Adds up the lists of a query's terms, one after the other, in one number a document.

    Documents without a term of the query come after those with one, in order of rows, wherever k asks for them: the
    answers are those of exhaustive search. Lists hold weights as they are stored. A function weighs a list when it is
    first asked for, and with `bits=32` the result is kept until another weighing comes; or, where its weighing has not
    the capability `Listed`, all lists at once.

    Args:
        config: see :class:`InvertedConfig`.
        docs: (N,) of `Sparse`.
        built: what `build` made of them, which may be memory-mapped; None makes the lists now, in memory.

    Raises:
        CapabilityError: the documents are not sparse.
    """

    Config = InvertedConfig
    kinds: ClassVar[tuple[type[Docs], ...]] = (Sparse,)

    def __init__(self, config: InvertedConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        self.config, self._count = config, docs.shape[0]
        self._postings = _made(config, docs) if built is None else Postings.of_tensors(built)
        self._lists: Weighed | None = None

    @staticmethod
    def build(config: InvertedConfig, docs: Docs) -> dict[str, Tensor]:
        """The tensors of :class:`~hyperir.index.strategies.postings.Postings`.

        Raises:
            CapabilityError: the documents are not sparse.
        """
        return _made(config, docs).tensors()

    @staticmethod
    def check(built: Mapping[str, Tensor], documents: int, width: int) -> None:
        """Raise ValueError or KeyError unless `build` can have made this."""
        check_postings(built, documents, width)

    @property
    def nbytes(self) -> int:
        """Bytes of the lists, and of the weights that searches made of them."""
        return self._postings.nbytes + (0 if self._lists is None else self._lists.nbytes)

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows of every query, (Q, k); ties broken by row; padded with -1 where k > N.

        `Hits.scored` is the length of the query's lists; or N, where that is less or every document has an offset.

        Args:
            f: a function with the capability `SparseLinear`.
            k: how many.
            allowed: (N,) bool, True where a row may come back; None allows all.
            budget: documents scored for a query, at most.

        Raises:
            InputError: k < 1, `allowed` of another shape or type, or more documents to score than the budget.
            CapabilityError: the function is not of terms.
            VectorError: the function gave NaN for a document that may come back.
        """
        need_k(k)
        check_budget(budget)
        if not isinstance(f, SparseLinear):
            raise CapabilityError(
                "inverted cannot search with this relevance function",
                expected="a function with the capability SparseLinear",
                got=type(f).__name__,
                fix='strategy="exact" serves any',
            )
        n = self._count
        if allowed is not None:
            check_allowed(allowed, n)
            allowed = allowed.cpu()
        scores, rows = torch.full((f.num_queries, k), -math.inf), torch.full((f.num_queries, k), -1)
        scored = 0
        with torch.inference_mode():
            lists, queries, shift = self._weighed(f), f.queries, f.shift
            buffer = torch.empty(n)
            for query in range(f.num_queries):
                places, weights = self._known(queries[query : query + 1])
                count = min(self._postings.total(places), n) if lists.offset is None else n
                _check_cost(count, budget)
                _accumulate(buffer, lists, places, weights)
                if allowed is not None:
                    buffer.masked_fill_(~allowed, -math.inf)
                found, at = _top(buffer, k)
                scores[query, : len(found)], rows[query, : len(at)] = found + shift[query], at
                scored = max(scored, count)
        if scores.isnan().any():
            query, place = (int(i) for i in scores.isnan().nonzero()[0])
            raise VectorError(
                f"the relevance function of query {query} gave NaN for row {int(rows[query, place])}",
                expected="finite scores",
                fix="check the weights of the query and of the documents",
            )
        return Hits(rows, scores, scored)

    def _weighed(self, f: SparseLinear) -> Weighed:
        """The lists under this function's weighing."""
        lists = self._lists
        if lists is None or lists.made_for != (type(f), f.weighing):
            lists = self._lists = Weighed(self._postings, f, keep=self.config.bits == 32)
        return lists

    def _known(self, query: Sparse) -> tuple[list[int], list[float]]:
        """Which lists a query's known terms have, and what the terms weigh."""
        at, known = self._postings.places(query.terms)
        return at[known].tolist(), query.weights[known].tolist()


class Weighed:
    """Lists under one weighing.

    Args:
        postings: the lists as they are stored.
        f: whose weighing.
        keep: keep the weights of lists that were asked for.
    """

    def __init__(self, postings: Postings, f: SparseLinear, keep: bool) -> None:
        self.made_for = (type(f), f.weighing)
        self._postings, self._keep = postings, keep
        weighing: Any = f.weighing
        by_list = isinstance(weighing, Listed) and f.offset(Sparse.cat([])) is None
        self._listed: Listed | None = weighing if by_list else None
        self._kept: dict[int, Tensor] = {}
        self._whole: Tensor | None = None
        self.offset: Tensor | None = None
        if self._listed is None:
            docs = weighing(postings.documents())
            self._whole, self.offset = postings.ordered(docs), f.offset(docs)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights that are kept."""
        whole = 0 if self._whole is None else self._whole.nbytes
        return whole + sum(weights.nbytes for weights in self._kept.values())

    def of(self, place: int) -> tuple[Tensor, Tensor]:
        """The rows of one list and their weights."""
        rows, stored = self._postings.of_list(place)
        if self._whole is not None:
            start = int(self._postings.starts[place])
            return rows, self._whole[start : start + len(rows)]
        assert self._listed is not None
        weights = self._kept.get(place)
        if weights is None:
            weights = self._listed.listed(stored, self._postings.sums[rows])
            if self._keep:
                self._kept[place] = weights
        return rows, weights


def _made(config: InvertedConfig, docs: Docs) -> Postings:
    some = docs[slice(0, 0)]
    if not isinstance(some, Sparse):
        raise CapabilityError(
            "inverted lists are made of sparse documents",
            expected="Sparse documents",
            got=type(some).__name__,
            fix='strategy="exact" searches any',
        )
    return Postings.of(docs, config.bits)


def _check_cost(count: int, budget: int | None) -> None:
    if budget is not None and count > budget:
        raise InputError(
            f"inverted scores every document with a term of the query, and the budget is below their number, {count:,}",
            expected=f"a budget of {count:,} or more",
            got=f"budget = {budget:,}",
        )


def _accumulate(scores: Tensor, lists: Weighed, places: list[int], weights: list[float]) -> None:
    if lists.offset is None:
        scores.zero_()
    else:
        scores.copy_(lists.offset)
    for place, weight in zip(places, weights, strict=True):
        rows, own = lists.of(place)
        scores.index_add_(0, rows, own, alpha=weight)


def _top(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of (N,), best first, ties by row, none of -inf; fewer where there are not so many. NaN stays."""
    top, rows = scores.topk(min(k, len(scores)))
    if not len(top) or top[0].isnan():
        return top, rows
    if top[-1] > -math.inf and int((scores >= top[-1]).sum()) == len(top):
        rows = rows.sort().values
    else:  # as for every document without a term of the query, topk keeps any of those that tie at the last place
        rows = (scores > top[-1]).nonzero().flatten()
        if top[-1] > -math.inf:
            ties = (scores == top[-1]).nonzero().flatten()[: len(top) - len(rows)]
            rows = torch.cat([rows, ties]).sort().values
    found, order = scores[rows].sort(descending=True, stable=True)
    return found, rows[order]
