"""Whole answers from engines that give parts: filters for those that know none, and a scan where too few come back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from hyperir.core.errors import InputError, VectorError
from hyperir.index.engines.blocks import Blocks, BlocksConfig
from hyperir.index.engines.feed import Vectors
from hyperir.index.topk import check_allowed, need_k

__all__ = ["Whole"]

Ask: TypeAlias = Callable[[Tensor, int, Tensor | None], Tensor]
WIDEST = 50  # times k: an answer wider than this is not asked for, the rows that pass are scanned


class Whole:
    """Completes what an approximate engine answers, with exact scans of the documents at hand.

    - Where at most `scan` documents may come back they are scanned: that is quick, and where few rows pass a filter
      a walk over a graph loses its way.
    - An engine without filters is asked for more, until k rows passed or the answer would be wider than 50 k.
    - Queries that are still short are scanned. So every query gets k rows where so many are allowed.

    Args:
        docs: the vectors of N documents.
        scan: see above; 0 asks the engine whenever more than k documents may come back.
        ask: the engine: vectors (M, D) fp32 within [-1, 1], k, and what is allowed, (N,) bool or None, to rows
            (M, n <= k), best first, -1 pads.
        filters: whether `ask` obeys what is allowed; without, it always gets None.
    """

    def __init__(self, docs: Vectors, *, scan: int, ask: Ask, filters: bool = False) -> None:
        self._docs, self._scan, self._ask, self._filters = docs, scan, ask, filters
        self._blocks = Blocks(BlocksConfig(), docs=docs.docs)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`.

        Raises:
            InputError: k < 1, `allowed` of another shape or type, or the engine holds other rows than the documents.
            VectorError: vectors of another width, or not finite.
        """
        need_k(k)
        count = self._docs.count
        if allowed is not None:
            check_allowed(allowed, count)
            allowed = allowed.cpu()
        largest = self._largest(vectors)
        passing = count if allowed is None else int(allowed.sum())
        if passing <= max(k, self._scan) or not len(vectors):
            return self._blocks.search(vectors, k, allowed)
        # The order of inner products is that of the vectors scaled, and no scaled number leaves a smaller float type.
        scaled = (vectors / largest).float().cpu()
        if allowed is None or self._filters:
            found = self._asked(scaled, k, allowed)
        else:
            found = self._sifted(scaled, k, allowed, passing)
        short = found[:, -1] < 0
        if short.any():
            found[short] = self._blocks.search(vectors[short], k, allowed)
        return found

    def _largest(self, vectors: Tensor) -> Tensor:
        """(M, 1), the largest number of each vector without its sign, 1 where that is 0; all are checked."""
        if vectors.ndim != 2 or vectors.shape[1] != self._docs.width:
            expected = f"(M, {self._docs.width})"
            raise VectorError("the query vectors are of another width", expected=expected, got=f"{list(vectors.shape)}")
        largest = vectors.abs().amax(dim=1, keepdim=True)
        if not largest.isfinite().all():
            raise VectorError("a query vector is not finite", fix="check the gradients of the relevance function")
        return largest.masked_fill_(largest == 0, 1)

    def _asked(self, vectors: Tensor, k: int, allowed: Tensor | None) -> Tensor:
        """(M, k) rows of the engine, checked."""
        rows = self._ask(vectors, k, allowed)[:, :k]
        if rows.numel() and int(rows.max()) >= self._docs.count:
            raise InputError(
                f"the engine answered with row {int(rows.max())}",
                expected=f"rows below {self._docs.count}, the number of documents",
                fix="fill the engine again from this index",
            )
        missing = k - rows.shape[1]
        return torch.nn.functional.pad(rows, (0, missing), value=-1) if missing else rows

    def _sifted(self, vectors: Tensor, k: int, allowed: Tensor, passing: int) -> Tensor:
        """(M, k) rows that are allowed, from answers that grow wider."""
        count = len(allowed)
        found = torch.full((len(vectors), k), -1)
        going = torch.arange(len(vectors))
        width = math.ceil(1.5 * k * count / passing)
        while len(going) and width <= WIDEST * k:
            width = min(width, count)
            rows = self._asked(vectors[going], width, None)
            passed = (rows >= 0) & allowed[rows.clamp_min(0)]
            order = (~passed).to(torch.int8).argsort(dim=1, stable=True)[:, :k]
            found[going] = rows.masked_fill(~passed, -1).gather(1, order)
            # An answer narrower than asked for is all that the engine can find: asking for more helps nothing.
            going = going[(found[going, -1] < 0) & (rows[:, -1] >= 0) & (width < count)]
            width *= 2
        return found
