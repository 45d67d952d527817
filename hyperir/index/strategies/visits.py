"""Visits: what a search scored for which query, each document once; and the best of it. Rows are integers, -1 none.

What all approximate strategies share: all queries go in one batch, and `answer` does what is around a search.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hyperir.core.errors import VectorError
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.strategies.exact import Exact, ExactConfig
from hyperir.index.topk import best, check_allowed, check_budget, need_k

__all__ = ["Ranked", "Visits", "answer"]

HELD = 1 << 14  # documents gathered at once, over all queries: 25 MB of vectors 384 wide
MARKS = 1 << 28  # documents times queries searched at once: the marks of what was seen take one byte each
TOGETHER = 512  # queries searched at once, so that what a round holds stays bounded where documents are few


class Visits:
    """Scores documents for Q queries, remembers which, and keeps a budget.

    Args:
        f: the relevance function of Q queries.
        docs: (N,) representations.
        allowed: (N,) bool, True where a row may come back: others are never scored. None where they may be.
        budget: what `scored` may be at most for each query; None sets no limit.
    """

    def __init__(self, f: Relevance[Any], docs: Docs, allowed: Tensor | None = None, budget: int | None = None) -> None:
        self.f, self.docs, self.budget = f, docs, budget
        # One place more than there are documents: row -1 finds there that it is no document to visit.
        self._seen = torch.zeros(f.num_queries, docs.shape[0] + 1, dtype=torch.bool)
        self._seen[:, -1] = True
        if allowed is not None:
            self._seen[:, :-1] = ~allowed
        self._queries = torch.arange(f.num_queries)[:, None]
        self.scored = torch.zeros(f.num_queries, dtype=torch.int64)  # all that f was asked for, each gradient as one

    def solvent(self) -> Tensor:
        """(Q,) bool: which queries have something of the budget left."""
        if self.budget is None:
            return torch.ones_like(self.scored, dtype=torch.bool)
        return self.scored < self.budget

    def affordable(self, rows: Tensor) -> Tensor:
        """(Q, n) rows, -1 for none, without those that the budget no longer pays for: earlier ones stay."""
        if self.budget is None:
            return rows
        return rows.masked_fill((rows >= 0).cumsum(1) > (self.budget - self.scored)[:, None], -1)

    def unseen(self, rows: Tensor) -> Tensor:
        """(Q, n) rows -> (Q, n) bool, True for a document that was not visited."""
        return ~self._seen[self._queries, rows]

    def mark(self, rows: Tensor) -> None:
        """Take (Q, n) rows, -1 for none, as visited."""
        self._seen[self._queries, rows] = True

    def fresh(self, rows: Tensor) -> Tensor:
        """Those of (Q, n) rows that were not visited and can be afforded, each once, and visited from now on.

        Returns:
            (Q, n') ascending, behind the padding.
        """
        rows = self.affordable(rows.masked_fill(self._seen[self._queries, rows], -1)).sort(dim=1).values
        rows[:, 1:].masked_fill_(rows[:, 1:] == rows[:, :-1], -1)
        if len(rows) == 1:
            rows = rows[rows >= 0][None]
        else:
            rows = rows.sort(dim=1).values
            most = int((rows >= 0).sum(1).max()) if rows.numel() else 0
            rows = rows[:, rows.shape[1] - most :]
        self.mark(rows)
        return rows

    def score_shared(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Visit (n,) rows, ascending and not visited, for every query; both results are (Q, n).

        Under a budget only so many of them, evenly spread, as half of it pays for.
        """
        if self.budget is not None and len(rows) > (most := max(self.budget // 2, 1)):
            rows = rows[torch.arange(most) * len(rows) // most]
        step = max(HELD // max(self.f.num_queries, 1), 1)
        scores = torch.cat([self.f(self.docs[part]) for part in torch.split(rows, step)], 1).float()
        everyone = rows.expand(self.f.num_queries, -1)
        self._seen[:, rows] = True
        self.scored += len(rows)
        _check(scores, everyone)
        return everyone, scores

    def score(self, rows: Tensor) -> Tensor:
        """Scores of (Q, n) rows, -inf where there is none."""
        if len(rows) == 1 and 0 < rows.shape[1] <= HELD and int(rows.min()) >= 0:
            self.scored += rows.shape[1]  # nothing to mask or to split
            scores = self.f(self.docs[rows]).float()
            _check(scores, rows)
            return scores
        real = rows >= 0
        counts = real.sum(1)
        self.scored += counts
        scores = torch.full(rows.shape, -math.inf)
        if 2 * int(counts.sum()) < rows.numel():
            # Many queries are done or nearly so. Their padding would cost as much as documents do.
            for query in counts.nonzero().flatten().tolist():
                own, f = rows[query, real[query]], self.f[query : query + 1]
                found = [f(self.docs[part]) for part in torch.split(own, HELD)]
                scores[query, real[query]] = torch.cat(found, 1)[0].float()
        elif rows.numel():
            parts = torch.split(rows.clamp_min(0), max(HELD // len(rows), 1), dim=1)
            found = [self.f(self.docs[part]) for part in parts]
            scores = torch.cat(found, 1).float().masked_fill(~real, -math.inf)
        _check(scores, rows)
        return scores


class Ranked:
    """The best of what was offered, for Q queries: best first, ties by row, padded with row -1 and score -inf."""

    def __init__(self, queries: int, size: int) -> None:
        self.rows = torch.full((queries, size), -1)
        self.scores = torch.full((queries, size), -math.inf)

    def offer(self, rows: Tensor, scores: Tensor) -> None:
        """Take in (Q, n) documents that are not held yet; row -1 is none, whatever its score."""
        scores = scores.masked_fill(rows < 0, -math.inf)
        rows, order = torch.cat([self.rows, rows], 1).sort(dim=1)  # ascending, so that ties break by row
        scores = torch.cat([self.scores, scores], 1).gather(1, order)
        self.scores, self.rows = best(scores, rows, self.rows.shape[1])

    def drop(self, places: Tensor) -> None:
        """Forget the documents at (Q, size) places that are True."""
        self.rows = self.rows.masked_fill(places, -1)
        self.scores = self.scores.masked_fill(places, -math.inf)

    def hits(self, k: int, scored: Tensor) -> Hits:
        """The k best; `scored` is (Q,)."""
        return Hits(self.rows[:, :k], self.scores[:, :k], int(scored.max()))


def answer(
    f: Relevance[Any],
    docs: Docs,
    k: int,
    allowed: Tensor | None,
    budget: int | None,
    few: int,
    search: Callable[[Relevance[Any], Tensor | None], Hits],
) -> Hits:
    """What every search by visits does around its own part: checks, small filters, and queries in bounded blocks.

    Args:
        f: the relevance function of Q queries.
        docs: (N,) representations.
        k: how many answers.
        allowed: (N,) bool, or None.
        budget: of `Hits.scored`, or None.
        few: where no more rows than this are allowed, and the budget pays for them, all of them are scored instead.
        search: finds the hits of some queries, given a filter that does not allow all.
    """
    need_k(k)
    check_budget(budget)
    n, queries = docs.shape[0], f.num_queries
    if allowed is not None:
        check_allowed(allowed, n)
        allowed = allowed.cpu()
        count = int(allowed.sum())
        if count == n:
            allowed = None
        elif count <= few and (budget is None or count <= budget):
            return Exact(ExactConfig(), docs=docs).search(f, k, allowed, budget)
    if not queries or not n:
        return Hits(torch.full((queries, k), -1), torch.full((queries, k), -math.inf))
    step = min(max(MARKS // n, 1), TOGETHER)
    with torch.inference_mode():
        parts = [search(f[start : start + step], allowed) for start in range(0, queries, step)]
    rows, scores = torch.cat([part.rows for part in parts]), torch.cat([part.scores for part in parts])
    return Hits(rows, scores, max(part.scored for part in parts))


def _check(scores: Tensor, rows: Tensor) -> None:
    if scores.isnan().any():
        query, place = scores.isnan().nonzero()[0].tolist()
        raise VectorError(
            f"the relevance function gave NaN for row {int(rows[query, place])}",
            expected="finite scores",
            fix="check the model's weights, and the vectors with `hyperir verify`",
        )
