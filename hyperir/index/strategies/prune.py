"""Pruning of neighbour lists: few edges that lead everywhere instead of many into the same corner.

The rule is that of HNSW and of relative neighbourhood graphs: going through the neighbours of x from the nearest on, y
is kept if it is nearer to x than to every neighbour kept so far. Then edges are walked both ways: y also gets x.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hyperir.core.progress import Progress
from hyperir.core.types import Docs
from hyperir.index.strategies.knn import vectors_of

__all__ = ["prune"]

NUMBERS = 1 << 24  # numbers in the neighbours' vectors, and in their products, of a block: 64 MB each
EDGES = 1 << 23  # edges turned round at once: about 0.5 GB


def prune(docs: Docs, lists: Tensor, degree: int) -> Tensor:
    """Prune neighbour lists and add the reverse edges.

    Of neighbours that equal x one is kept, and it removes no other: they would be x's only company.

    Args:
        docs: (N,) of `Dense`.
        lists: (N, C) int32, neighbours of every document, nearest first, -1 for none.
        degree: edges a document has at most: first those that the rule keeps, then reverse ones, the nearest first,
            ties by row.

    Returns:
        (N, degree) int32, padded with -1.
    """
    n, candidates = lists.shape
    kept = torch.full((n, degree), -1, dtype=torch.int32)
    lengths = torch.full((n, degree), torch.inf)
    width = vectors_of(docs, slice(0, 0)).shape[1]
    block = max(NUMBERS // max(candidates * max(width, candidates), 1), 1)
    with Progress("Pruning", n, "documents") as bar:
        for start in range(0, n, block):
            part = slice(start, min(start + block, n))
            kept[part], lengths[part] = _forward(docs, part, lists[part].long(), degree)
            bar.advance(part.stop - start)
    _reverse(kept, lengths)
    return kept


def _forward(docs: Docs, part: slice, lists: Tensor, degree: int) -> tuple[Tensor, Tensor]:
    """The neighbours kept by the rule, (B, degree), and their squared distances."""
    # With x moved to the origin, y is nearer to z than to x where |y - z|^2 <= |y|^2, that is |z|^2 <= 2 <y, z>.
    steps = vectors_of(docs, lists.clamp_min(0)) - vectors_of(docs, part)[:, None]
    products = steps @ steps.transpose(1, 2)
    lengths = products.diagonal(dim1=1, dim2=2)
    keep = torch.zeros_like(lists, dtype=torch.bool)
    counts = torch.zeros(len(lists), dtype=torch.int64)
    for j in range(lists.shape[1]):
        nearer = 2 * products[:, j, :j] >= lengths[:, :j]
        nearer &= (lengths[:, :j] > 0) | (lengths[:, j : j + 1] == 0)
        free = ~(nearer & keep[:, :j]).any(1)
        keep[:, j] = free & (lists[:, j] >= 0) & (counts < degree)
        counts += keep[:, j]
    order = (~keep).to(torch.int8).argsort(dim=1, stable=True)[:, :degree]
    keep = keep.gather(1, order)
    rows = torch.full((len(lists), degree), -1, dtype=torch.int32)
    far = torch.full((len(lists), degree), torch.inf)
    rows[:, : order.shape[1]] = lists.gather(1, order).masked_fill(~keep, -1).int()
    far[:, : order.shape[1]] = lengths.gather(1, order).masked_fill(~keep, torch.inf)
    return rows, far


def _reverse(kept: Tensor, lengths: Tensor) -> None:
    """Fill what is free in every list with reverse edges, in place; some nodes at a time."""
    n, degree = kept.shape
    forward = kept.clone()
    block = max(EDGES // max(degree, 1), 1)
    for start in range(0, n, block):
        own = forward[start : start + block].long()
        source, place = ((forward >= start) & (forward < start + block)).nonzero(as_tuple=True)
        target = forward[source, place].long() - start
        new = ~torch.isin(target * n + source, (torch.arange(len(own))[:, None] * n + own)[own >= 0])
        source, place, target = source[new], place[new], target[new]
        order = lengths[source, place].argsort(stable=True)  # sources ascend already, so that ties break by row
        order = order[target[order].argsort(stable=True)]
        source, target = source[order], target[order]
        counts = torch.bincount(target, minlength=len(own))
        rank = torch.arange(len(target)) - (counts.cumsum(0) - counts)[target]
        at = rank + (own >= 0).sum(1)[target]
        fits = at < degree
        kept[start + target[fits], at[fits]] = source[fits].int()
