"""Exhaustive search: score every document. Exact for any relevance function, in blocks, with bounded memory."""

from __future__ import annotations

from typing import Any, Literal

import torch

from hyperir.core.config import Config
from hyperir.core.errors import InputError, VectorError
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.topk import Best

__all__ = ["Exact"]

BUFFER_CELLS = 1 << 20  # scores held before the best are picked, over all queries: 4 MB


class ExactConfig(Config):
    """Configuration of exhaustive search.

    Args:
        block: documents scored at once. About 2,000 vectors of 384 numbers, and a layer's outputs for them, fit a
            core's cache; larger blocks were no faster on a CPU (benchmarks/scoring.py).
    """

    type: Literal["exact"] = "exact"
    block: int = 2048


class Exact:
    """Scores all N documents, whatever the function.

    Args:
        config: see :class:`ExactConfig`.
        docs: (N,) representations; only one block at a time is read.
    """

    Config = ExactConfig

    def __init__(self, config: ExactConfig, *, docs: Docs) -> None:
        if config.block < 1:
            raise InputError("a block holds at least one document", got=f"block = {config.block}")
        self.config, self.docs = config, docs

    def search(self, f: Relevance[Any], k: int) -> Hits:
        """The k best rows of every query, (Q, k); ties broken by row; padded with -1 where k > N.

        Raises:
            InputError: k < 1.
            VectorError: the function gave NaN for a document.
        """
        if k < 1:
            raise InputError("k counts the answers wanted", expected="k >= 1", got=f"k = {k}")
        n, queries, block = self.docs.shape[0], f.num_queries, self.config.block
        best = Best(queries, k)
        if queries == 0:
            return best.hits(0)
        held = max(block, BUFFER_CELLS // queries // block * block)
        buffer = torch.empty(queries, min(held, n))
        with torch.inference_mode():
            for start in range(0, n, held):
                stop = min(start + held, n)
                for at in range(start, stop, block):
                    end = min(at + block, stop)
                    buffer[:, at - start : end - start] = f(self.docs[at:end])
                best.offer(buffer[:, : stop - start], torch.arange(start, stop))
        hits = best.hits(n)
        if hits.scores.isnan().any():
            query, place = (int(i) for i in hits.scores.isnan().nonzero()[0])
            raise VectorError(
                f"the relevance function of query {query} gave NaN for row {int(hits.rows[query, place])}",
                expected="finite scores",
                fix="check the model's weights, and the vectors with `hyperir verify`",
            )
        return hits
