"""Exhaustive search: score every document. Exact for any relevance function, in blocks, with bounded memory."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch

from hyperir.core.config import Config
from hyperir.core.errors import CapabilityError, InputError, VectorError
from hyperir.core.types import Castable, Docs, Hits, Relevance
from hyperir.index.topk import Best, best

__all__ = ["Exact"]

BUFFER_CELLS = 1 << 20  # scores held before the best are picked, over all queries: 4 MB


class ExactConfig(Config):
    """Configuration of exhaustive search.

    Args:
        block: documents scored at once; 4,096 vectors of 384 numbers were fastest of 1,024 to 6,144 on a CPU.
        first_pass: "bfloat16" scores all documents with bfloat16 hidden layers, which is faster where the processor
            has them, and the best 2k + 64 again in full precision.
    """

    type: Literal["exact"] = "exact"
    block: int = 4096
    first_pass: Literal["full", "bfloat16"] = "full"


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
        if self.config.first_pass == "bfloat16":
            if not isinstance(f, Castable):
                raise CapabilityError(
                    "exact cannot make a bfloat16 first pass with this relevance function",
                    expected="a function with the capability Castable",
                    got=type(f).__name__,
                    fix='search with first_pass="full"',
                )
            return self._rescored(f, self._scan(f.to(torch.bfloat16), 2 * k + 64), k)
        return self._scan(f, k)

    def _rescored(self, f: Relevance[Any], coarse: Hits, k: int) -> Hits:
        """The k best of the candidates, by f itself."""
        rows = coarse.rows.sort(dim=1).values  # ascending, so that ties break by row; padding first
        if self.docs.shape[0] == 0:
            return Hits(rows[:, :k], coarse.scores[:, :k])
        with torch.inference_mode():
            scores = f(self.docs[rows.clamp_min(0)]).masked_fill(rows < 0, -math.inf)
        top, kept = best(scores, rows, k)
        return Hits(kept, top, coarse.scored)

    def _scan(self, f: Relevance[Any], k: int) -> Hits:
        n, queries, block = self.docs.shape[0], f.num_queries, self.config.block
        kept = Best(queries, k)
        if queries == 0:
            return kept.hits(0)
        held = max(block, BUFFER_CELLS // queries // block * block)
        buffer = torch.empty(queries, min(held, n))
        with torch.inference_mode():
            for start in range(0, n, held):
                stop = min(start + held, n)
                for at in range(start, stop, block):
                    end = min(at + block, stop)
                    buffer[:, at - start : end - start] = f(self.docs[at:end])
                kept.offer(buffer[:, : stop - start], torch.arange(start, stop))
        hits = kept.hits(n)
        if hits.scores.isnan().any():
            query, place = (int(i) for i in hits.scores.isnan().nonzero()[0])
            raise VectorError(
                f"the relevance function of query {query} gave NaN for row {int(hits.rows[query, place])}",
                expected="finite scores",
                fix="check the model's weights, and the vectors with `hyperir verify`",
            )
        return hits
