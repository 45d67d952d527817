"""Inverted file: the relevance function ranks the centroids of k-means cells, and the best cells are searched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.strategies.cells import assign, kmeans
from hyperir.index.strategies.visits import Ranked, Visits, answer

__all__ = ["IVF"]


class IVFConfig(Config):
    """Configuration of the inverted file.

    Args:
        cells: C, how many; 0 takes the square root of N, rounded up.
        probes: cells searched for a query.
        seed: of k-means.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"probes"})

    type: Literal["ivf"] = "ivf"
    cells: int = 0
    probes: int = 8
    seed: int = 0


class IVF:
    """Searches the cells whose centroids score best under the very function that ranks the documents.

    No bound holds between a centroid's score and its documents', so recall is measured, not promised (`hyperir bench`).

    Args:
        config: see :class:`IVFConfig`.
        docs: (N,) of `Dense`.
        built: what `build` made of them; None makes it now.
    """

    Config = IVFConfig

    def __init__(self, config: IVFConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        if config.cells < 0 or config.probes < 1:
            raise InputError(
                "an inverted file has cells and searches one or more of them",
                expected="cells >= 0, probes >= 1",
                got=f"cells = {config.cells}, probes = {config.probes}",
            )
        self.config, self.docs = config, docs
        built = self.build(config, docs) if built is None else built
        self._centroids, self._rows = Dense(built["centroids"]), built["rows"]
        self._ends = built["ends"]

    @staticmethod
    def build(config: IVFConfig, docs: Docs) -> dict[str, Tensor]:
        """`centroids` (C, D); `rows` (N,), by cell and ascending inside one; `ends` (C,), of every cell in `rows`."""
        n = docs.shape[0]
        centroids = kmeans(docs, config.cells or math.ceil(math.sqrt(n)), config.seed)
        cells = assign(docs, centroids)
        rows = cells.argsort(stable=True)
        ends = torch.bincount(cells, minlength=len(centroids)).cumsum(0)
        return {"centroids": centroids, "rows": rows, "ends": ends}

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None, budget: int | None = None) -> Hits:
        """The k best rows of the best cells, (Q, k); see :class:`hyperir.core.types.Strategy`.

        Where no more rows are allowed than there are cells, all of them are scored and none else. Under a budget cells
        are searched, the best first, until it is spent, which may be in the midst of one.

        Raises:
            InputError: the budget does not reach beyond the centroids.
        """
        cells = len(self._ends)
        if budget is not None and budget <= cells < self.docs.shape[0]:
            raise InputError(
                f"ivf scores {cells:,} centroids first, and the budget ends there",
                expected=f"a budget above {cells:,}",
                got=f"budget = {budget:,}",
                fix='fewer cells, or strategy="auto"',
            )
        return answer(f, self.docs, k, allowed, budget, cells, lambda f, allowed: self._search(f, k, allowed, budget))

    def _search(self, f: Relevance[Any], k: int, allowed: Tensor | None, budget: int | None) -> Hits:
        visits, answers = Visits(f, self.docs, allowed, budget), Ranked(f.num_queries, k)
        probed = f(self._centroids).topk(min(self.config.probes, len(self._ends)), dim=1).indices
        visits.scored += len(self._ends)
        for column in probed.T:  # one cell a query at a time, the best first: memory stays that of Q cells
            rows = visits.fresh(self._members(column))
            answers.offer(rows, visits.score(rows))
            if not visits.solvent().any():
                break
        return answers.hits(k, visits.scored)

    def _members(self, cells: Tensor) -> Tensor:
        """(Q, n): the rows in one cell for each query, padded with -1."""
        ends = self._ends[cells]
        starts = torch.where(cells > 0, self._ends[(cells - 1).clamp_min(0)], 0)
        places = torch.arange(int((ends - starts).max()))
        inside = starts[:, None] + places
        rows = self._rows[inside.clamp_max(len(self._rows) - 1)]
        return rows.masked_fill(inside >= ends[:, None], -1)
