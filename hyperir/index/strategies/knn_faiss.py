"""Approximate nearest neighbours of every document by Faiss' inverted lists: for graphs over millions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hyperir.core.amounts import bytes_text
from hyperir.core.errors import MissingExtraError
from hyperir.core.types import Docs
from hyperir.index.engines.feed import Vectors
from hyperir.index.strategies.knn import knn

__all__ = ["knn_faiss", "knn_faiss_bytes"]

TRAINING = 64  # documents a list that k-means looks at; Faiss warns below 39
PROBES = 64  # lists searched for a document


def knn_faiss_bytes(n: int, width: int, degree: int) -> int:
    """Memory that `knn_faiss` takes, in bytes: Faiss' copy of the vectors with their numbers, and the lists."""
    return n * (4 * width + 8 + 4 * degree)


def knn_faiss(docs: Docs, degree: int, seed: int = 0) -> Tensor:
    """As `knn`, but some neighbours are missed. Few documents are searched exactly.

    Args:
        docs: (N,) of `Dense`.
        degree: neighbours a document.
        seed: of the sample from which the inverted lists are learned.

    Raises:
        MissingExtraError: faiss-cpu is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        if error.name != "faiss":
            raise
        raise MissingExtraError("faiss-cpu", "faiss", 'a graph with builder="faiss"') from None
    vectors = Vectors(docs)
    n, width = vectors.count, vectors.width
    lists = min(round(4 * math.sqrt(n)), n // 39)
    if lists < 2:
        return knn(docs, degree)
    flat = faiss.IndexFlatL2(width)
    index = faiss.IndexIVFFlat(flat, width, lists, faiss.METRIC_L2)
    generator = torch.Generator().manual_seed(seed)
    index.train(vectors[torch.randperm(n, generator=generator)[: TRAINING * lists].sort().values].numpy())
    memory = bytes_text(knn_faiss_bytes(n, width, degree))
    for _, part in vectors.blocks(f"Filling Faiss ({memory})"):
        index.add(part.numpy())
    index.nprobe = PROBES
    found = torch.full((n, degree), -1, dtype=torch.int32)
    for start, part in vectors.blocks("Finding neighbours"):
        rows = torch.from_numpy(index.search(part.numpy(), degree + 1)[1])
        own = rows == torch.arange(start, start + len(part))[:, None]
        order = own.to(torch.int8).argsort(dim=1, stable=True)[:, :degree]  # the document itself goes last, and out
        found[start : start + len(part)] = rows.gather(1, order).int()
    return found
