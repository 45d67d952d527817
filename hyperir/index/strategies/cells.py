"""Cells: k-means over the documents' vectors, in blocks. What `ivf` ranks and where `firstorder` starts."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.core.progress import track
from hyperir.core.types import Docs

__all__ = ["assign", "kmeans"]

BLOCK = 4096
SAMPLE = 128  # documents a cell that k-means looks at; more of them moved the centroids little
ROUNDS = 10


def kmeans(docs: Docs, cells: int, seed: int = 0) -> Tensor:
    """Centroids of the documents by Lloyd's algorithm under squared Euclidean distance, over a sample.

    Args:
        docs: (N,) of `Dense`.
        cells: C; at most N are made.
        seed: of the sample and the start.

    Returns:
        (C, D), fp32. A cell that runs empty starts again at a random document of the sample.
    """
    n = docs.shape[0]
    generator = torch.Generator().manual_seed(seed)
    cells = min(cells, n)
    rows = torch.randperm(n, generator=generator)[: SAMPLE * cells].sort().values
    sample = _vectors(docs, rows)
    centroids = sample[torch.randperm(len(sample), generator=generator)[:cells]]
    for _ in track(range(ROUNDS if len(sample) > cells else 0), "Making cells", ROUNDS, "rounds"):
        nearest = torch.cat(list(_nearest(sample, centroids)))
        sums = torch.zeros_like(centroids).index_add_(0, nearest, sample)
        counts = torch.bincount(nearest, minlength=cells)
        empty = counts == 0
        again = sample[torch.randint(len(sample), (int(empty.sum()),), generator=generator)]
        centroids = sums / counts.clamp_min(1)[:, None]
        centroids[empty] = again
    return centroids


def assign(docs: Docs, centroids: Tensor) -> Tensor:
    """The nearest centroid of every document, (N,) int64; one block of documents in memory at a time."""
    blocks = range(0, docs.shape[0], BLOCK)
    found = [
        part
        for start in track(blocks, "Assigning", len(blocks), "blocks")
        for part in _nearest(_vectors(docs, slice(start, start + BLOCK)), centroids)
    ]
    return torch.cat([torch.empty(0, dtype=torch.int64), *found])


def _nearest(vectors: Tensor, centroids: Tensor) -> Iterator[Tensor]:
    half = centroids.square().sum(1) / 2
    for part in torch.split(vectors, BLOCK):
        yield torch.addmm(-half, part, centroids.T).argmax(1)  # the largest <d, c> - |c|^2 / 2 is the nearest


def _vectors(docs: Docs, rows: Tensor | slice) -> Tensor:
    part = docs[rows]
    assert isinstance(part, Dense)
    return part.vectors.float()
