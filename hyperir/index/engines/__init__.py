"""Inner-product engines: what answers plain vector queries for `firstorder`. A new one is a file and a line here."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from hyperir.core.registry import Table

__all__ = ["ENGINES", "Engine"]


class Engine(Protocol):
    """Finds the documents with the largest inner products; any vector database can."""

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """(M, D) queries -> (M, k) rows, best first, -1 where there are fewer; only rows that are `allowed`, (N,)."""
        ...


ENGINES: Table[Engine] = Table(
    "engines",
    {
        "blocks": "hyperir.index.engines.blocks:Blocks",
        "faiss": "hyperir.index.engines.faiss:Faiss",
        "pgvector": "hyperir.index.engines.pgvector:Pgvector",
        "qdrant": "hyperir.index.engines.qdrant:Qdrant",
        "usearch": "hyperir.index.engines.usearch:Usearch",
    },
)
