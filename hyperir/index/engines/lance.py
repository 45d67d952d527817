"""Lance: the index of vectors that the rows table itself can have, searched on disk and not from memory.

It belongs to one version of the table, so it is made within the commit that keeps the structure, as an index of a
column is. Hence the documents must be those of an index on disk, where other engines are made from any.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.types import Docs
from hyperir.index.engines.feed import Vectors
from hyperir.index.engines.whole import Whole
from hyperir.index.table import RowTable, TableIndex

__all__ = ["Lance"]

TRAINED = 256  # documents that product quantization needs, and that Lance wants for a list
GRAPH = 1 << 17  # documents of a partition that is a graph
LARGEST = 8  # numbers that a code of product quantization stands for, at most


class LanceConfig(Config):
    """Configuration.

    Args:
        index: "ivf_hnsw_sq", graphs over vectors of a byte a number; "ivf_pq", lists of shorter codes; "ivf_flat",
            lists of the vectors.
        partitions: graphs or lists; 0 takes one graph for 131,072 documents or fewer, or the square root of N lists,
            at most N / 256.
        sub_vectors: bytes of a code, of ivf_pq; it divides the width. 0 takes the least that leaves at most 8 numbers a
            byte.
        m: neighbours of a document in a graph.
        ef_construction: candidates held while a graph is built.
        ef_search: candidates held while it is searched, at least `refine` k.
        nprobes: partitions searched.
        refine: so many times k are found by their codes and ranked again by their vectors; 1 ranks again what is found.
        scan: so many documents or fewer are scanned exactly; see :class:`hyperir.index.engines.whole.Whole`.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"ef_search", "nprobes", "refine", "scan"})

    type: Literal["lance"] = "lance"
    index: Literal["ivf_hnsw_sq", "ivf_pq", "ivf_flat"] = "ivf_hnsw_sq"
    partitions: int = 0
    sub_vectors: int = 0
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    nprobes: int = 16
    refine: int = 4
    scan: int = 1000


@runtime_checkable
class _OfTable(Protocol):
    """Documents of an index: their keys, (N,) ascending, and the table with their rows."""

    @property
    def keys(self) -> Tensor: ...
    @property
    def table(self) -> RowTable | None: ...


class Lance:
    """Asks the table for the nearest rows, one query after the other. Filters are met by asking for more.

    Rows that came after the index was made are scanned by Lance. Rows that the table still has but these documents have
    not are passed over.

    Args:
        config: see :class:`LanceConfig`.
        docs: (N,) of `Dense`, of an index on disk that was built with this engine.

    Raises:
        InputError: the documents are of no such index.
    """

    Config = LanceConfig

    def __init__(self, config: LanceConfig, *, docs: Docs) -> None:
        _check(config)
        if not isinstance(docs, _OfTable) or docs.table is None or not docs.table.has_vector_index():
            raise InputError(
                "the engine lance searches an index of the rows on disk, and there is none",
                fix='build it: index.build({"type": "firstorder", "engine": "lance"}), or '
                "hyperir build INDEX firstorder --set engine=lance",
            )
        self._keys, self._table = docs.keys, docs.table
        self.config = config
        self._whole = Whole(Vectors(docs), scan=config.scan, ask=self._ask)

    @staticmethod
    def table_index(config: LanceConfig, documents: int, width: int) -> TableIndex:
        """See :class:`hyperir.index.engines.Tabled`.

        Raises:
            InputError: too few documents, or a number of sub-vectors that does not divide the width.
        """
        _check(config)
        lists = config.index != "ivf_hnsw_sq"
        usual = min(round(math.sqrt(documents)), documents // TRAINED) if lists else documents // GRAPH
        options = {"num_partitions": config.partitions or max(usual, 1)}
        if config.index == "ivf_hnsw_sq":
            options |= {"m": config.m, "ef_construction": config.ef_construction}
        if config.index == "ivf_pq":
            if documents < TRAINED:
                raise InputError(
                    "product quantization is learned from documents",
                    expected=f"{TRAINED} or more",
                    got=f"{documents}",
                    fix='"index": "ivf_hnsw_sq" takes any number',
                )
            options["num_sub_vectors"] = config.sub_vectors or _sub_vectors(width)
            if width % options["num_sub_vectors"]:
                raise InputError(
                    "sub-vectors are of equal length",
                    expected=f"a divisor of {width}",
                    got=f"sub_vectors = {config.sub_vectors}",
                )
        return TableIndex(config.index.upper(), options)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._whole.search(vectors, k, allowed)

    def _ask(self, vectors: Tensor, k: int, allowed: Tensor | None) -> Tensor:
        config = self.config
        options = {"nprobes": config.nprobes}
        if config.index != "ivf_flat":
            options["refine_factor"] = config.refine
        if config.index == "ivf_hnsw_sq":
            options["ef"] = max(config.ef_search, k * config.refine)
        found = torch.full((len(vectors), k), -1)
        for place, vector in enumerate(vectors.numpy()):
            keys = torch.from_numpy(self._table.nearest(vector, k, options).copy())
            rows = torch.searchsorted(self._keys, keys).clamp_max(len(self._keys) - 1)
            rows = rows[self._keys[rows] == keys]
            found[place, : len(rows)] = rows
        return found


def _check(config: LanceConfig) -> None:
    for name in ("m", "ef_construction", "ef_search", "nprobes", "refine"):
        if getattr(config, name) < 1:
            raise InputError(f"{name} is at least 1", got=f"{name} = {getattr(config, name)}")
    for name in ("partitions", "sub_vectors"):
        if getattr(config, name) < 0:
            raise InputError(f"{name} is at least 0", got=f"{name} = {getattr(config, name)}")


def _sub_vectors(width: int) -> int:
    """The least divisor of the width by which at most `LARGEST` numbers share a byte."""
    return next(count for count in range(-(-width // LARGEST), width + 1) if width % count == 0)
