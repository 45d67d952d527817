"""Candidates: what approximate strategies share. Rows are integers, -1 pads, and all queries go in one batch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.topk import best, check_allowed

__all__ = ["Pool", "need_k"]

HELD = 1 << 14  # documents gathered at once, over all queries: 25 MB of vectors 384 wide


def need_k(k: int) -> None:
    """Refuse k < 1."""
    if k < 1:
        raise InputError("k counts the answers wanted", expected="k >= 1", got=f"k = {k}")


class Pool:
    """The documents that were scored so far, for Q queries: each at most once, the best of them kept.

    Args:
        f: the relevance function of Q queries.
        docs: (N,) representations.
        size: how many of the best are kept a query.
        allowed: (N,) bool, True where a row may come back; others are never scored.
    """

    def __init__(self, f: Relevance[Any], docs: Docs, size: int, allowed: Tensor | None = None) -> None:
        self._f, self._docs, self.size = f, docs, size
        queries = f.num_queries
        if allowed is not None:
            check_allowed(allowed, docs.shape[0])
        shut = torch.zeros(docs.shape[0], dtype=torch.bool) if allowed is None else ~allowed.cpu()
        self._seen = shut.repeat(queries, 1)
        self.rows = torch.full((queries, size), -1)
        self.scores = torch.full((queries, size), -math.inf)
        self.scored = torch.zeros(queries, dtype=torch.int64)

    def offer(self, rows: Tensor) -> Tensor:
        """Score what is new among (Q, n) rows, -1 for none, and keep the best.

        Returns:
            (Q,) bool: whether a new document is among the best now.
        """
        rows = self._fresh(rows)
        if not rows.shape[1]:
            return torch.zeros(len(rows), dtype=torch.bool)
        scores = self._score(rows)
        self.scored += (rows >= 0).sum(1)
        rows, order = torch.cat([self.rows, rows], 1).sort(dim=1)  # ascending, so that ties break by row
        scores = torch.cat([self.scores, scores], 1).gather(1, order)
        before = self.rows
        self.scores, self.rows = best(scores, rows, self.size)
        return (self.rows != before).any(1)

    def hits(self, k: int) -> Hits:
        """The k best so far, padded."""
        rows, scores = self.rows[:, :k], self.scores[:, :k]
        missing = k - rows.shape[1]
        pad = torch.nn.functional.pad
        scored = int(self.scored.max()) if len(self.scored) else 0
        return Hits(pad(rows, (0, missing), value=-1), pad(scores, (0, missing), value=-math.inf), scored)

    def _fresh(self, rows: Tensor) -> Tensor:
        """(Q, n') with every row once that was not seen, ascending behind the padding; they are seen from now on."""
        rows = rows.sort(dim=1).values
        old = rows < 0
        old[:, 1:] |= rows[:, 1:] == rows[:, :-1]
        old |= self._seen.gather(1, rows.clamp_min(0))
        rows = rows.masked_fill(old, -1).sort(dim=1).values
        width = int((rows >= 0).sum(1).max()) if rows.numel() else 0
        rows = rows[:, rows.shape[1] - width :]
        query, place = (rows >= 0).nonzero(as_tuple=True)
        self._seen[query, rows[query, place]] = True
        return rows

    def _score(self, rows: Tensor) -> Tensor:
        step = max(HELD // len(rows), 1)
        parts = [self._f(self._docs[part.clamp_min(0)]) for part in torch.split(rows, step, dim=1)]
        return torch.cat(parts, 1).masked_fill(rows < 0, -math.inf)
