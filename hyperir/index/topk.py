"""The k best of scores, ties broken by row, and the rows that may be among them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.core.types import Hits

__all__ = ["Best", "allowed_rows", "best", "check_allowed", "check_budget", "need_k"]

FEW = 2048  # scores that are sorted sooner than the best of them are picked and ties looked for


def need_k(k: int) -> None:
    """Refuse k < 1."""
    if k < 1:
        raise InputError("k counts the answers wanted", expected="k >= 1", got=f"k = {k}")


def check_budget(budget: int | None) -> None:
    """Refuse a budget below 1."""
    if budget is not None and budget < 1:
        raise InputError(
            "a budget counts the documents scored for a query", expected="budget >= 1", got=f"budget = {budget}"
        )


def allowed_rows(allowed: Tensor, n: int) -> Tensor:
    """The rows that may come back, (M,) int64, ascending; checked as by `check_allowed`."""
    check_allowed(allowed, n)
    return allowed.cpu().nonzero().flatten()


def check_allowed(allowed: Tensor, n: int) -> None:
    """Raise InputError unless `allowed` is (N,) bool."""
    if allowed.dtype != torch.bool or allowed.shape != (n,):
        raise InputError(
            "`allowed` says of every row whether it may come back",
            expected=f"torch.bool, shape ({n},)",
            got=f"{allowed.dtype}, shape {tuple(allowed.shape)}",
        )


def best(scores: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of every query.

    Args:
        scores: (Q, N).
        rows: (Q, N) or (N,), in ascending order within a query wherever scores may tie.
        k: how many; fewer are returned where N < k.

    Returns:
        scores and rows, (Q, min(k, N)), best first; of equal scores the one that stands earlier in `rows`.
    """
    k = min(k, scores.shape[1])
    rows = rows.expand_as(scores)
    if scores.numel() <= FEW:
        top, at = (part[:, :k] for part in scores.sort(dim=1, descending=True, stable=True))
        return top, rows.gather(1, at)
    top, at = scores.topk(k, dim=1)
    # topk keeps any of the documents that tie at the last place, and leaves ties inside in any order. Where more
    # tie than fit, which is rare, the whole is sorted.
    if k and bool(((scores >= top[:, -1:]).sum(1) > k).any()):
        top, at = (part[:, :k] for part in scores.sort(dim=1, descending=True, stable=True))
    else:
        at, order = at.sort(dim=1)
        top, again = top.gather(1, order).sort(dim=1, descending=True, stable=True)
        at = at.gather(1, again)
    return top, rows.gather(1, at)


class Best:
    """Keeps the k best while blocks of scores come by, in ascending order of rows.

    Args:
        queries: Q.
        k: how many to keep.
        dtype: of the scores.
    """

    def __init__(self, queries: int, k: int, dtype: torch.dtype = torch.float32) -> None:
        self.k = k
        self.scores = torch.empty(queries, 0, dtype=dtype)
        self.rows = torch.empty(queries, 0, dtype=torch.int64)

    def offer(self, scores: Tensor, rows: Tensor) -> None:
        """Take in (Q, n) scores of rows (n,) or (Q, n), all later than the rows offered before."""
        top, at = best(scores, rows, self.k)
        # Earlier blocks stand first, so that the stable order of `best` also breaks ties between blocks by row.
        self.scores, self.rows = best(
            torch.cat([self.scores, top.to(self.scores.dtype)], 1), torch.cat([self.rows, at], 1), self.k
        )

    def hits(self, scored: int) -> Hits:
        """What is kept, padded to k with row -1 and score -inf."""
        missing = self.k - self.scores.shape[1]
        pad = torch.nn.functional.pad
        return Hits(pad(self.rows, (0, missing), value=-1), pad(self.scores, (0, missing), value=-math.inf), scored)
