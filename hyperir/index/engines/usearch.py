"""usearch: a graph (HNSW) in memory, in half precision if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import CorruptError, InputError, MissingExtraError
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

    search_only: ClassVar[frozenset[str]] = frozenset({"ef_search", "scan"})

    type: Literal["usearch"] = "usearch"
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    dtype: Literal["f32", "f16", "bf16"] = "f32"
    scan: int = 1000


class Usearch:
    """Built from the documents, or read from bytes that an index kept. Filters are met by asking for more.

    The reader of usearch crashes on damaged bytes: `built` must be as `dump` gave it, which their hash in the index
    says. Bytes that somebody forged together with their hash are not safe to read.

    Args:
        config: see :class:`UsearchConfig`.
        docs: (N,) of `Dense`.
        built: what `dump` gave for them; None makes it now.

    Raises:
        MissingExtraError: usearch is not installed.
        CorruptError: `built` is of other documents.
    """

    Config = UsearchConfig

    def __init__(self, config: UsearchConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
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
        if built is None:
            for start, part in vectors.blocks("Filling usearch"):
                self._index.add(torch.arange(start, start + len(part)).numpy(), part.numpy())
        else:
            self._load(built, vectors)
        self._whole = Whole(vectors, scan=config.scan, ask=self._ask)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._whole.search(vectors, k, allowed)

    def dump(self) -> dict[str, Tensor]:
        """See :class:`hyperir.index.engines.Kept`; the vectors are part of it."""
        return {"index": torch.frombuffer(self._index.save(), dtype=torch.uint8)}

    def _load(self, built: Mapping[str, Tensor], docs: Vectors) -> None:
        try:
            self._index.load(bytes(built["index"].numpy().data))
            self._index.expansion_search = self.config.ef_search
        except (KeyError, RuntimeError, ValueError) as error:
            raise CorruptError(
                "usearch cannot read what was kept of it", got=str(error), fix="build it again"
            ) from error
        docs.check_kept("usearch", len(self._index), self._index.ndim)

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
