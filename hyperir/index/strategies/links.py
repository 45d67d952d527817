"""Links between the parts of a graph: lists of near neighbours fall apart where documents lie in far groups."""

from __future__ import annotations

import torch
from torch import Tensor

from hyperir.core.types import Docs
from hyperir.index.strategies.knn import nearest, vectors_of

__all__ = ["linked", "reach"]

TRIED = 32  # nearest documents that may hold the link to a part
TOGETHER = 512  # parts for which they are sought at once


def linked(docs: Docs, neighbours: Tensor, entries: Tensor) -> Tensor:
    """Add edges until a walk from the entries can reach every document.

    Each part that they do not reach gets an edge from a document near to it that they do.

    Args:
        docs: (N,) of `Dense`.
        neighbours: (N, degree) int32, padded with -1 at the end of every list.
        entries: (E,) rows, where walks start.

    Returns:
        (N, degree) int32 as given and with links where lists have room; or (N, degree + 1) if one had none.
    """
    known = torch.zeros(len(neighbours), dtype=torch.bool)
    reach(neighbours, entries, known)
    if known.all() or not len(entries):
        return neighbours
    lists = torch.nn.functional.pad(neighbours, (0, 1), value=-1)
    used = (lists >= 0).sum(1)
    roots, everything = [], known.clone()
    for row in (~known).nonzero().flatten().tolist():
        if not everything[row]:
            roots.append(row)
            reach(neighbours, torch.tensor([row]), everything)
    before = -1
    for start in range(0, len(roots), TOGETHER):
        some = torch.tensor(roots[start : start + TOGETHER])
        for root, near in zip(some.tolist(), nearest(vectors_of(docs, some), docs, TRIED, among=known), strict=True):
            near = near[near >= 0]
            free = near[used[near] < lists.shape[1]]
            # Where all near lists are full, the part linked before leads on: a root's list has room for one.
            holder = int(free[0]) if len(free) else before
            lists[holder, used[holder]] = root
            used[holder] += 1
            before = root
    return lists if (lists[:, -1] >= 0).any() else lists[:, :-1].contiguous()


def reach(neighbours: Tensor, rows: Tensor, known: Tensor) -> None:
    """Mark in `known`, (N,) bool, the rows and all that walks from them reach past what is marked."""
    rows = rows[~known[rows]]
    while len(rows):
        known[rows] = True
        found = neighbours[rows].flatten().long()
        found = found[found >= 0]
        rows = found[~known[found]].unique()  # type: ignore[no-untyped-call]
