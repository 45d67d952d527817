"""Batches over several processes: every query meets the items of all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from hyperir.train.batch import Batch

__all__ = ["all_items", "all_rows", "processes", "sum_over_processes"]


def processes() -> tuple[int, int]:
    """This process and how many there are."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


class _Gather(torch.autograd.Function):
    """Rows of all processes; a gradient comes back from all of them."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        rank, world = processes()
        ctx.part = slice(rank * len(rows), (rank + 1) * len(rows))
        parts = [torch.empty_like(rows) for _ in range(world)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[ctx.part]


def all_rows(rows: Tensor) -> Tensor:
    """(B, ...) of every process -> (W B, ...), differentiable: a row's gradient is the sum over all processes."""
    if processes()[1] == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum; in place."""
    if processes()[1] > 1:
        dist.all_reduce(values)
    return values


def all_items(batch: Batch, documents: int) -> tuple[Batch, int, int]:
    """The batch of all processes, without the texts themselves.

    Args:
        batch: of this process.
        documents: how many vectors it has.

    Returns:
        the batch; the first place of this process's queries in it; and how many documents every process has to be
        padded to, so that `items` are places among the gathered vectors.
    """
    rank, world = processes()
    if world == 1:
        return batch, 0, documents
    sizes = torch.tensor([documents, batch.items.shape[1], batch.positives.shape[1]], device=batch.items.device)
    dist.all_reduce(sizes, op=dist.ReduceOp.MAX)
    most, items, positives = sizes.tolist()
    shifted = torch.where(batch.items < 0, batch.items, batch.items + rank * most)
    whole = replace(
        batch,
        items=all_rows(_wider(shifted, items, -1)),
        targets=all_rows(_wider(batch.targets, items, float("nan"))),
        numbers=all_rows(torch.nn.functional.pad(batch.numbers, (0, most - documents), value=-2)),
        positives=all_rows(_wider(batch.positives, positives, -1)),
    )
    return whole, rank * len(batch.items), most


def _wider(values: Tensor, columns: int, fill: float) -> Tensor:
    return torch.nn.functional.pad(values, (0, columns - values.shape[1]), value=fill)
