"""usearch: a graph (HNSW) in memory, in half precision if wanted."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import InputError, MissingExtraError
from hyperir.core.types import Docs
from hyperir.index.engines.feed import Vectors
from hyperir.index.engines.whole import Whole

__all__ = ["Usearch"]


class UsearchConfig(Config):
    """Configuration.

    Args:
        m: neighbours of a document in the graph.
        ef_construction: candidates held while the graph is built.
        ef_search: candidates held while it is searched; usearch takes at least k.
        dtype: how vectors are stored: "f32", "f16" or "bf16".
        scan: so many documents or fewer are scanned exactly; see :class:`hyperir.index.engines.whole.Whole`.
    """

    type: Literal["usearch"] = "usearch"
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    dtype: Literal["f32", "f16", "bf16"] = "f32"
    scan: int = 1000


class Usearch:
    """Built from the documents, and gone with the process. Filters are met by asking for more.

    Args:
        config: see :class:`UsearchConfig`.
        docs: (N,) of `Dense`.

    Raises:
        MissingExtraError: usearch is not installed.
    """

    Config = UsearchConfig

    def __init__(self, config: UsearchConfig, *, docs: Docs) -> None:
        wrong = [name for name in ("m", "ef_construction", "ef_search") if getattr(config, name) < 1]
        if wrong:
            raise InputError(f"{wrong[0]} is at least 1", got=f"{wrong[0]} = {getattr(config, wrong[0])}")
        self.config = config
        vectors = Vectors(docs)
        self._index = _package().Index(
            ndim=vectors.width,
            metric="ip",
            dtype=config.dtype,
            connectivity=config.m,
            expansion_add=config.ef_construction,
            expansion_search=config.ef_search,
        )
        for start, part in vectors.blocks("Filling usearch"):
            self._index.add(torch.arange(start, start + len(part)).numpy(), part.numpy())
        self._whole = Whole(vectors, scan=config.scan, ask=self._ask)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._whole.search(vectors, k, allowed)

    def _ask(self, vectors: Tensor, k: int, allowed: Tensor | None) -> Tensor:
        found = self._index.search(vectors.contiguous().numpy(), k)
        # One query comes back without the axis of queries.
        rows = torch.from_numpy(found.keys.astype("int64")).reshape(len(vectors), -1)
        counts = torch.as_tensor([len(found)] if len(vectors) == 1 else found.counts.astype("int64"))
        return rows.masked_fill(torch.arange(rows.shape[1]) >= counts[:, None], -1)


def _package() -> Any:
    try:
        import usearch.index
    except ModuleNotFoundError as error:
        if error.name != "usearch":
            raise
        raise MissingExtraError("usearch", "usearch", 'the engine "usearch"') from None
    return usearch.index
