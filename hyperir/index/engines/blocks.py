"""Exact inner products in blocks, by torch: no structure, no build, and fast enough up to some 100,000 documents."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.types import Docs
from hyperir.index.strategies.bounded import Inner
from hyperir.index.strategies.exact import Exact, ExactConfig

__all__ = ["Blocks"]


class BlocksConfig(Config):
    """Configuration: there is nothing to set."""

    type: Literal["blocks"] = "blocks"


class Blocks:
    """Scans all documents.

    Args:
        config: see :class:`BlocksConfig`.
        docs: (N,) of `Dense`.
    """

    Config = BlocksConfig

    def __init__(self, config: BlocksConfig, *, docs: Docs) -> None:
        self.config = config
        self._exact = Exact(ExactConfig(), docs=docs)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._exact.search(Inner(vectors), k, allowed).rows
