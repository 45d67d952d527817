"""Exhaustive search under a bound: an inner product that is never below f tells which few documents f has to score."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.core.types import Bounded, Docs, Hits, Relevance
from hyperir.index.topk import best

__all__ = ["Inner", "bound_of", "under_bound", "width_of"]

# With words in cells the best 10 of 100,000 are among the first 50 by the bound, mostly, and among 300 nearly always;
# the best 100 among 500, and among 1,600. More are proposed, which costs little, and f scores as many as it must.
FACTOR, SPARE, AGAIN = 16, 256, 8
BLOCK = 4096  # documents that f scores at once
SLACK = 1e-5  # of rounding, for a bound of 1


@dataclass(frozen=True)
class Inner:
    """<w_q, d> as a relevance function.

    Args:
        weights: (Q, D).
    """

    weights: Tensor

    @property
    def num_queries(self) -> int:
        return self.weights.shape[0]

    def __call__(self, docs: Dense) -> Tensor:
        return self.weights @ docs.vectors.to(self.weights.dtype).T

    def __getitem__(self, queries: slice) -> Inner:
        return Inner(self.weights[queries])


def bound_of(f: Relevance[Any]) -> Inner | None:
    """The bound of a function that has one."""
    weights = f.bound if isinstance(f, Bounded) else None
    return None if weights is None else Inner(weights)


def width_of(k: int) -> int:
    """How many candidates the bound proposes."""
    return FACTOR * k + SPARE


def under_bound(
    f: Relevance[Any], bound: Inner, docs: Docs, k: int, scan: Callable[[Relevance[Any], int], Hits]
) -> Hits:
    """The k best rows of every query, exactly.

    f scores the first candidates, by the bound; then those others whose bound is not below the k-th best score. Where
    that is all that were proposed, more are, and in the end f scores everything.

    Args:
        f: of Q queries.
        bound: of the same queries.
        docs: (N,) representations.
        k: how many.
        scan: searches all that may come back for the best of a function.
    """
    wanted, left = list(range(f.num_queries)), bound
    scores, rows = torch.full((len(wanted), k), -math.inf), torch.full((len(wanted), k), -1)
    scored = 0
    for width in (width_of(k), AGAIN * width_of(k)):
        proposed = scan(left, width)
        found = [_best(f[q : q + 1], docs, proposed.rows[i], proposed.scores[i], k) for i, q in enumerate(wanted)]
        for query, own in zip(wanted, found, strict=True):
            if own is not None:
                scores[query], rows[query] = own.scores[0], own.rows[0]
                scored = max(scored, proposed.scored + own.scored)
        wanted = [query for query, own in zip(wanted, found, strict=True) if own is None]
        if not wanted:
            return Hits(rows, scores, scored)
        left = Inner(bound.weights[wanted])
    for query in wanted:
        whole = scan(f[query : query + 1], k)
        scores[query], rows[query], scored = whole.scores[0], whole.rows[0], proposed.scored + whole.scored
    return Hits(rows, scores, scored)


def _best(f: Relevance[Any], docs: Docs, rows: Tensor, bounds: Tensor, k: int) -> Hits | None:
    """The k best of one query's candidates, (K,), best bound first; None where others may be better than these."""
    first = _scores(f, docs, rows[: 2 * k + 64])
    least = float(first.topk(k).values[-1]) - SLACK * max(abs(float(bounds[0])), 1.0)
    count = max(int((bounds >= least).sum()), len(first))
    if count == len(bounds):
        return None
    kept, order = rows[:count].sort()  # ascending: ties break by row
    scores = torch.cat([first, _scores(f, docs, rows[len(first) : count])])
    top, found = best(scores[order][None], kept[None], k)
    return Hits(found, top, count)


def _scores(f: Relevance[Any], docs: Docs, rows: Tensor) -> Tensor:
    """(K,), of one query."""
    with torch.inference_mode():
        found: Tensor = torch.cat([f(docs[some[None]])[0] for some in torch.split(rows, BLOCK)])
    return found
