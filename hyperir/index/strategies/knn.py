"""The exact nearest neighbours of every document by Euclidean distance, by matrix products over blocks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hyperir.core.amounts import bytes_text
from hyperir.core.docs import Dense
from hyperir.core.progress import Progress
from hyperir.core.types import Docs
from hyperir.index.topk import Best

__all__ = ["knn", "knn_bytes", "nearest", "vectors_of"]

ROWS, COLUMNS = 512, 8192  # documents whose neighbours are sought at once, among so many at once
PROMISING = 8  # where fewer than one in so many can enter the lists, only those are sorted


def knn_bytes(n: int, width: int, degree: int) -> int:
    """Memory that `knn` takes at most, in bytes: the lists, two blocks of vectors, and the block of products.

    The products count four times: picking the best of them makes as many copies, at worst.
    """
    columns = min(n, COLUMNS)
    return 4 * (n * degree + (ROWS + columns) * width + 4 * ROWS * (columns + 2 * degree))


def knn(docs: Docs, degree: int) -> Tensor:
    """The neighbours of every document, nearest first; ties by row; the document itself is not among them.

    Args:
        docs: (N,) of `Dense`; read in blocks, N / 512 times in all.
        degree: neighbours a document.

    Returns:
        (N, degree) int32, exact up to float32 rounding of |y|^2 / 2 - <x, y>; -1 pads where there are fewer.
    """
    n = docs.shape[0]
    lists = torch.full((n, degree), -1, dtype=torch.int32)
    width = vectors_of(docs, slice(0, 0)).shape[1]
    with Progress(f"Finding neighbours ({bytes_text(knn_bytes(n, width, degree))})", n, "documents") as bar:
        for start in range(0, n, ROWS):
            vectors = vectors_of(docs, slice(start, start + ROWS))
            lists[start : start + ROWS] = nearest(vectors, docs, degree, first=start)
            bar.advance(len(vectors))
    return lists


def nearest(vectors: Tensor, docs: Docs, k: int, first: int | None = None, among: Tensor | None = None) -> Tensor:
    """The k documents nearest to each of (M, D) vectors, (M, k) int64, nearest first, ties by row, padded with -1.

    Args:
        vectors: fp32; they are taken whole, the documents in blocks.
        docs: (N,) of `Dense`.
        k: how many.
        first: where the vectors are the documents from this row on: each is then left out of its own list.
        among: (N,) bool, True for the documents that are sought; None seeks among all.
    """
    kept = Best(len(vectors), k)
    for start in range(0, docs.shape[0], COLUMNS):
        block = vectors_of(docs, slice(start, start + COLUMNS))
        # The largest <x, y> - |y|^2 / 2 is the nearest y, for |x| is the same for all.
        scores = torch.addmm(-block.square().sum(1) / 2, vectors, block.T)
        if first is not None:
            own = torch.arange(first, first + len(vectors)) - start
            inside = ((own >= 0) & (own < len(block))).nonzero().flatten()
            scores[inside, own[inside]] = -math.inf
        if among is not None:
            scores.masked_fill_(~among[start : start + len(block)], -math.inf)
        _offer(kept, scores, start)
    hits = kept.hits(0)
    return hits.rows.masked_fill(hits.scores == -math.inf, -1)


def _offer(kept: Best, scores: Tensor, start: int) -> None:
    """Take in (M, n) scores of the documents from row `start` on.

    Once the lists are full, few of a block can enter them, and to pick those is quicker than the k best of all.
    """
    columns = scores.shape[1]
    if kept.scores.shape[1] == kept.k:
        entering = scores > kept.scores[:, -1:]  # an equal score stands behind, for its row is a later one
        counts = entering.sum(1)
        most = int(counts.max()) if len(counts) else 0
        if most <= columns // PROMISING:
            query, column = entering.nonzero(as_tuple=True)
            place = torch.arange(len(query)) - (counts.cumsum(0) - counts)[query]
            few, rows = torch.full((len(scores), most), -math.inf), torch.zeros(len(scores), most, dtype=torch.int64)
            few[query, place], rows[query, place] = scores[query, column], start + column
            if most:
                kept.offer(few, rows)
            return
    kept.offer(scores, torch.arange(start, start + columns))


def vectors_of(docs: Docs, rows: Tensor | slice) -> Tensor:
    """The vectors of some documents in fp32, (*rows.shape, D)."""
    part = docs[rows]
    assert isinstance(part, Dense)
    return part.vectors.float()
