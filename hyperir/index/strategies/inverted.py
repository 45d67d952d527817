"""Inverted lists: for every term the documents that have it. Exact, and pays only for the terms of the query."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense, Sparse
from hyperir.core.errors import CapabilityError, InputError, VectorError
from hyperir.core.terms import compact
from hyperir.core.types import Docs, Hits, Relevance, SparseLinear
from hyperir.index.strategies.impacts import Impacts
from hyperir.index.topk import check_allowed, check_budget, need_k

__all__ = ["Inverted"]


class InvertedConfig(Config):
    """Configuration of inverted lists.

    Args:
        bits: of a weight in the lists: 32 is exact; 8 takes 5 bytes a term of a document in place of 8, and a score is
            off by at most the sum over the query's terms of |q_t| / 510 times the range of weights in the term's list.
    """

    type: Literal["inverted"] = "inverted"
    bits: Literal[8, 32] = 32


@dataclass(frozen=True)
class Lists:
    """The lists of all terms, one behind the other.

    Args:
        weighing: what made the weights.
        starts: (U + 1) places where the lists begin.
        rows: (P,) int32, ascending in a list.
        weights: (P,) float32, or in a byte each.
        offset: (N,), what a document scores by itself; None is 0.
    """

    weighing: Callable[[Sparse], Sparse]
    starts: list[int]
    rows: Tensor
    weights: Tensor | Impacts
    offset: Tensor | None

    def of(self, place: int) -> tuple[Tensor, Tensor]:
        """The rows of one list and their weights."""
        start, end = self.starts[place], self.starts[place + 1]
        if isinstance(self.weights, Impacts):
            return self.rows[start:end], self.weights.weights(place, start, end)
        return self.rows[start:end], self.weights[start:end]


class Inverted:
    """Adds up the lists of a query's terms, one after the other, in one number a document.

    Documents without a term of the query come after those with one, in order of rows, wherever k asks for them: the
    answers are those of exhaustive search. The lists' weights are made for the function's weighing when it first comes,
    and kept until another does: 8 bytes a term of a document, or 5 with `bits=8`, and 4 more for its place.

    Args:
        config: see :class:`InvertedConfig`.
        docs: (N,) of `Sparse`, in memory.

    Raises:
        CapabilityError: the documents are not sparse.
    """

    Config = InvertedConfig
    kinds: ClassVar[tuple[type[Docs], ...]] = (Sparse,)

    def __init__(self, config: InvertedConfig, *, docs: Docs) -> None:
        if not isinstance(docs, Sparse):
            raise CapabilityError(
                "inverted lists are made of sparse documents",
                expected="Sparse documents",
                got=Dense.__name__ if isinstance(docs, Dense) else type(docs).__name__,
                fix='strategy="exact" searches any',
            )
        self.config, self.docs = config, docs
        self._words, self._places = compact(docs.terms)
        self._lists: Lists | None = None

    @property
    def nbytes(self) -> int:
        """Bytes in memory beside the documents: the terms, their places, and the lists where they are made."""
        own = self._words.nbytes + self._places.nbytes
        return own + (0 if self._lists is None else self._lists.rows.nbytes + self._lists.weights.nbytes)

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
            CapabilityError: the function is no weighted sum over terms.
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
        n = self.docs.shape[0]
        if allowed is not None:
            check_allowed(allowed, n)
            allowed = allowed.cpu()
        scores, rows = torch.full((f.num_queries, k), -math.inf), torch.full((f.num_queries, k), -1)
        scored = 0
        with torch.inference_mode():
            lists, queries, shift = self._made(f), f.queries, f.shift
            buffer = torch.empty(n)
            for query in range(f.num_queries):
                places, weights = self._known(queries[query : query + 1])
                lengths = (lists.starts[place + 1] - lists.starts[place] for place in places)
                count = min(sum(lengths), n) if lists.offset is None else n
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

    def _made(self, f: SparseLinear) -> Lists:
        """The lists of this function's weighing."""
        from scipy.sparse import csr_array

        lists = self._lists
        if lists is not None and lists.weighing == f.weighing:
            return lists
        docs = f.weighing(self.docs)
        parts = (docs.weights.float().numpy(), self._places.numpy(), docs.indptr.numpy())
        columns = csr_array(parts, shape=(docs.shape[0], max(len(self._words), 1))).tocsc()  # a counting sort
        rows, weights = torch.from_numpy(columns.indices), torch.from_numpy(columns.data)
        kept = self._coded(weights, torch.from_numpy(columns.indptr).long()) if self.config.bits == 8 else weights
        self._lists = Lists(f.weighing, columns.indptr.tolist(), rows, kept, f.offset(docs))
        return self._lists

    def _coded(self, weights: Tensor, starts: Tensor) -> Impacts:
        if not weights.isfinite().all():
            raise VectorError("weights that are no finite numbers do not fit into a byte", expected="finite weights")
        return Impacts.of(weights, starts)

    def _known(self, query: Sparse) -> tuple[list[int], list[float]]:
        """Which lists a query's known terms have, and what the terms weigh."""
        if not len(self._words):
            return [], []
        at = torch.searchsorted(self._words, query.terms).clamp_max(len(self._words) - 1)
        known = self._words[at] == query.terms
        return at[known].tolist(), query.weights[known].tolist()


def _check_cost(count: int, budget: int | None) -> None:
    if budget is not None and count > budget:
        raise InputError(
            f"inverted scores every document with a term of the query, and the budget is below their number, {count:,}",
            expected=f"a budget of {count:,} or more",
            got=f"budget = {budget:,}",
        )


def _accumulate(scores: Tensor, lists: Lists, places: list[int], weights: list[float]) -> None:
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
