"""Inner-product engines: what answers plain vector queries for `firstorder`. A new one is a file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from hyperir.core.registry import Table

if TYPE_CHECKING:
    from hyperir.core.config import Config
    from hyperir.index.table import TableIndex

__all__ = ["ENGINES", "Engine", "Kept", "Tabled"]


class Engine(Protocol):
    """Finds the documents with the largest inner products; any vector database can."""

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """(M, D) queries -> (M, k) rows, best first, -1 where there are fewer; only rows that are `allowed`, (N,)."""
        ...


@runtime_checkable
class Kept(Protocol):
    """Capability: an engine that can be kept on disk, as bytes, and is made of them again by `built=`.

    Whoever keeps them compares their hash before: loaders of engines crash on bytes that are damaged.
    """

    def dump(self) -> dict[str, Tensor]:
        """What the engine consists of, as uint8 tensors of one axis."""
        ...


@runtime_checkable
class Tabled(Protocol):
    """Capability: an engine that searches an index of the rows table, which is made within a commit."""

    @staticmethod
    def table_index(config: Config, documents: int, width: int) -> TableIndex:
        """What is made for so many documents of this width."""
        ...


ENGINES: Table[Engine] = Table(
    "engines",
    {
        "blocks": "hyperir.index.engines.blocks:Blocks",
        "faiss": "hyperir.index.engines.faiss:Faiss",
        "lance": "hyperir.index.engines.lance:Lance",
        "pgvector": "hyperir.index.engines.pgvector:Pgvector",
        "qdrant": "hyperir.index.engines.qdrant:Qdrant",
        "usearch": "hyperir.index.engines.usearch:Usearch",
    },
)
