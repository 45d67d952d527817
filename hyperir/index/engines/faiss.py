"""Faiss: graphs (HNSW), inverted lists (IVF) of vectors or of short codes, or a flat scan, in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import CorruptError, InputError, MissingExtraError
from hyperir.core.types import Docs
from hyperir.index.engines.feed import Vectors
from hyperir.index.engines.whole import Whole

__all__ = ["Faiss"]

TRAINING = 64  # documents a list that k-means looks at; Faiss warns below 39
RANGED = 1 << 16  # documents from which the range of every number is learned that becomes a byte


class FaissConfig(Config):
    """Configuration.

    Args:
        index: "hnsw", "ivf", "codes" or "flat". "codes" is "ivf" of product quantisation: half a byte stands for `part`
            numbers of a vector, a thirty-second of float32, and Faiss' fast kernels scan them. It is the quickest to
            ask, above all for many. What it finds is nearly the best only; the function scores all of it anyway.
        dtype: how the vectors of hnsw are stored: "f32", or "i8", a byte a number, in a quarter of the memory and
            nearly twice as quick to ask.
        m: neighbours of a document in the graph, of hnsw.
        ef_construction: candidates held while the graph is built.
        ef_search: candidates held while it is searched, at least k.
        nlist: lists, of ivf and codes; 0 takes 4 sqrt(N), and of codes 2 sqrt(N). Never more than N / 39.
        nprobe: lists searched at least: as many more as hold 2k documents in the mean, and four times as many for
            queries that found fewer than k, until they found k or all that there are.
        part: numbers that share a half byte, of codes: fewer are more exact and larger.
        scan: so many documents or fewer are scanned exactly; see :class:`hyperir.index.engines.whole.Whole`.
        seed: of the sample from which the lists are learned.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"ef_search", "nprobe", "scan"})

    type: Literal["faiss"] = "faiss"
    index: Literal["hnsw", "ivf", "codes", "flat"] = "hnsw"
    dtype: Literal["f32", "i8"] = "f32"
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    nlist: int = 0
    nprobe: int = 16
    part: int = 4
    scan: int = 1000
    seed: int = 0


class Faiss:
    """Built from the documents, or read from bytes that an index kept.

    Faiss' reader crashes on damaged bytes, and answers wrongly from others: `built` must be as `dump` gave it, which
    their hash in the index says. Bytes that somebody forged together with their hash are not safe to read.

    Threads are as Faiss finds them (OMP_NUM_THREADS). Filters are Faiss' own selectors.

    Args:
        config: see :class:`FaissConfig`.
        docs: (N,) of `Dense`.
        built: what `dump` gave for them; None makes it now.

    Raises:
        MissingExtraError: faiss-cpu is not installed.
        CorruptError: `built` is of other documents.
    """

    Config = FaissConfig

    def __init__(self, config: FaissConfig, *, docs: Docs, built: Mapping[str, Tensor] | None = None) -> None:
        wrong = [name for name in ("m", "ef_construction", "ef_search", "nprobe", "part") if getattr(config, name) < 1]
        if wrong:
            raise InputError(f"{wrong[0]} is at least 1", got=f"{wrong[0]} = {getattr(config, wrong[0])}")
        self.config = config
        self._faiss, vectors = _package(), Vectors(docs)
        if built is None:
            self._index = self._empty(vectors)
            for _, part in vectors.blocks("Filling Faiss"):
                self._index.add(self._wide(part).numpy())
        else:
            self._index = self._loaded(built, vectors)
        self._whole = Whole(vectors, scan=config.scan, ask=self._ask, filters=True)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._whole.search(vectors, k, allowed)

    def dump(self) -> dict[str, Tensor]:
        """See :class:`hyperir.index.engines.Kept`; the vectors are part of it."""
        return {"index": torch.from_numpy(self._faiss.serialize_index(self._index))}

    def _loaded(self, built: Mapping[str, Tensor], docs: Vectors) -> Any:
        try:
            index = self._faiss.deserialize_index(built["index"].numpy())
        except (KeyError, RuntimeError) as error:
            raise CorruptError("Faiss cannot read what was kept of it", got=str(error), fix="build it again") from error
        docs.check_kept("Faiss", index.ntotal, docs.width if index.d == self._width(docs.width) else index.d)
        return index

    def _empty(self, docs: Vectors) -> Any:
        """A trained index without documents."""
        faiss, config, count = self._faiss, self.config, docs.count
        if config.index == "hnsw":
            if config.dtype == "f32" or not count:
                index = faiss.IndexHNSWFlat(docs.width, config.m, faiss.METRIC_INNER_PRODUCT)
            else:
                kind = faiss.ScalarQuantizer.QT_8bit
                index = faiss.IndexHNSWSQ(docs.width, kind, config.m, faiss.METRIC_INNER_PRODUCT)
                index.train(docs[self._sample(count, RANGED)].numpy())
            index.hnsw.efConstruction = config.ef_construction
            return index
        width = self._width(docs.width)
        flat = faiss.IndexFlatIP(width)
        lists = min(config.nlist or round((2 if config.index == "codes" else 4) * math.sqrt(count)), count // 39)
        if config.index == "flat" or lists < 2:
            return flat
        if config.index == "codes":
            parts = width // config.part
            index = faiss.IndexIVFPQFastScan(flat, width, lists, parts, 4, faiss.METRIC_INNER_PRODUCT)
        else:
            index = faiss.IndexIVFFlat(flat, width, lists, faiss.METRIC_INNER_PRODUCT)
        index.train(self._wide(docs[self._sample(count, TRAINING * lists)]).numpy())
        return index

    def _sample(self, count: int, most: int) -> Tensor:
        """Rows drawn from so many documents, ascending."""
        generator = torch.Generator().manual_seed(self.config.seed)
        return torch.randperm(count, generator=generator)[:most].sort().values

    def _width(self, width: int) -> int:
        """What the index holds of a vector: codes are of whole parts."""
        part = self.config.part if self.config.index == "codes" else 1
        return -(-width // part) * part

    def _wide(self, vectors: Tensor) -> Tensor:
        """(n, D) with zeros behind, as wide as the index."""
        missing = self._width(vectors.shape[1]) - vectors.shape[1]
        return torch.nn.functional.pad(vectors, (0, missing)) if missing else vectors.contiguous()

    def _ask(self, vectors: Tensor, k: int, allowed: Tensor | None) -> Tensor:
        faiss, config = self._faiss, self.config
        chosen: dict[str, Any] = {}
        if allowed is not None:
            import numpy

            chosen["sel"] = faiss.IDSelectorBitmap(numpy.packbits(allowed.numpy(), bitorder="little"))
        given = self._wide(vectors).numpy()
        if isinstance(self._index, faiss.IndexIVF):
            return self._probed(given, k, chosen)
        if isinstance(self._index, faiss.IndexHNSW):
            how = faiss.SearchParametersHNSW(efSearch=max(config.ef_search, k), **chosen)
        else:
            how = faiss.SearchParameters(**chosen)
        return torch.from_numpy(self._index.search(given, k, params=how)[1])

    def _probed(self, vectors: Any, k: int, chosen: dict[str, Any]) -> Tensor:
        """Rows (M, k) of lists; more of them for queries that are short. `chosen` is the filter, if any."""
        index, faiss = self._index, self._faiss
        probes = max(self.config.nprobe, math.ceil(2 * k * index.nlist / index.ntotal))
        rows = index.search(vectors, k, params=faiss.SearchParametersIVF(nprobe=min(probes, index.nlist), **chosen))[1]
        while probes < index.nlist and len(short := (rows[:, -1] < 0).nonzero()[0]):
            probes *= 4
            how = faiss.SearchParametersIVF(nprobe=min(probes, index.nlist), **chosen)
            rows[short] = index.search(vectors[short], k, params=how)[1]
        return torch.from_numpy(rows)


def _package() -> Any:
    try:
        import faiss
    except ModuleNotFoundError as error:
        if error.name != "faiss":
            raise
        raise MissingExtraError("faiss-cpu", "faiss", 'the engine "faiss"') from None
    return faiss
