"""Inverted file: the relevance function ranks the centroids of k-means cells, and the best cells are searched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.strategies.candidates import Pool, need_k
from hyperir.index.strategies.cells import assign, kmeans

__all__ = ["IVF"]


class IVFConfig(Config):
    """Configuration of the inverted file.

    Args:
        cells: C, how many; 0 takes the square root of N, rounded up.
        probes: cells searched for a query.
        seed: of k-means.
    """

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

    def search(self, f: Relevance[Any], k: int, allowed: Tensor | None = None) -> Hits:
        """The k best rows of the best cells, (Q, k); see :class:`hyperir.core.types.Strategy`."""
        need_k(k)
        pool = Pool(f, self.docs, k, allowed)
        if pool.rows.shape[0] and self.docs.shape[0]:
            with torch.inference_mode():
                probed = f(self._centroids).topk(min(self.config.probes, len(self._ends)), dim=1).indices
                for column in probed.T:  # one cell a query at a time, the best first: memory stays that of Q cells
                    pool.offer(self._members(column))
        hits = pool.hits(k)
        return Hits(hits.rows, hits.scores, hits.scored + len(self._ends))

    def _members(self, cells: Tensor) -> Tensor:
        """(Q, n): the rows in one cell for each query, padded with -1."""
        ends = self._ends[cells]
        starts = torch.where(cells > 0, self._ends[(cells - 1).clamp_min(0)], 0)
        places = torch.arange(int((ends - starts).max()))
        inside = starts[:, None] + places
        rows = self._rows[inside.clamp_max(len(self._rows) - 1)]
        return rows.masked_fill(inside >= ends[:, None], -1)
