"""Documents of different lengths, one behind the other: where some of them stand, and what is in each of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Size, Tensor

__all__ = ["maxima", "offsets_of", "picked", "sums", "window"]


def offsets_of(lengths: Tensor) -> Tensor:
    """(M + 1,) int64 from 0: where each of M documents of these lengths begins, and where the last one ends."""
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def window(indptr: Tensor, rows: slice) -> tuple[Tensor, slice] | None:
    """A slice of documents as a slice of places, with the offsets inside of it; None where it skips documents."""
    start, stop, step = rows.indices(len(indptr) - 1)
    if step != 1:
        return None
    bounds = indptr[start : max(start, stop) + 1]
    first, last = int(bounds[0]), int(bounds[-1])
    return bounds - first, slice(first, last)


def picked(indptr: Tensor, rows: Tensor | slice) -> tuple[Tensor, Tensor, Size]:
    """Where the places of chosen documents stand.

    Args:
        indptr: (N + 1,) offsets of N documents.
        rows: their numbers, of any shape; negative ones count from the end.

    Returns:
        the offsets of the chosen ones in row-major order, the place of each of theirs, and the shape of `rows`.

    Raises:
        IndexError: there is no such document.
    """
    n = len(indptr) - 1
    if isinstance(rows, slice):
        rows = torch.arange(*rows.indices(n))
    flat = rows.reshape(-1)
    if len(flat):
        low, high = (int(bound) for bound in flat.aminmax())
        if low < -n or high >= n:
            raise IndexError(f"row {low if low < -n else high} of {n:,} documents")
        flat = torch.where(flat < 0, flat + n, flat) if low < 0 else flat
    starts = indptr[flat]
    lengths = indptr[flat + 1] - starts
    offsets = offsets_of(lengths)
    places = torch.arange(int(offsets[-1]), device=flat.device) + (starts - offsets[:-1]).repeat_interleave(lengths)
    return offsets, places, rows.shape


def maxima(values: Tensor, indptr: Tensor) -> Tensor:
    """The largest of every document's values, (R, P) -> (R, M), differentiable; -inf for a document without any."""
    if _plain(values):
        return _reduced(values, indptr, np.maximum, -torch.inf)
    out = values.new_full((len(values), len(indptr) - 1), -torch.inf)
    return out.scatter_reduce(1, _owners(indptr).expand(len(values), -1), values, "amax")


def sums(values: Tensor, indptr: Tensor) -> Tensor:
    """The sum of every document's values, (R, P) -> (R, M), differentiable; 0 for a document without any."""
    if _plain(values):
        return _reduced(values, indptr, np.add, 0.0)
    return values.new_zeros(len(values), len(indptr) - 1).index_add(1, _owners(indptr), values)


def _plain(values: Tensor) -> bool:
    """Whether numpy may reduce: on a CPU it does so in a fifth of torch's time or less (`benchmarks/multi.py`)."""
    learning = torch.is_grad_enabled() and values.requires_grad
    return not learning and not values.is_cuda and values.dtype in (torch.float32, torch.float64)


def _owners(indptr: Tensor) -> Tensor:
    """(P,): the document of every place."""
    return torch.arange(len(indptr) - 1, device=indptr.device).repeat_interleave(indptr.diff())


def _reduced(values: Tensor, indptr: Tensor, by: np.ufunc, nothing: float) -> Tensor:
    # Beside each other, documents without values would be given the value of the next one.
    held = indptr[1:] > indptr[:-1]
    whole = bool(held.all())
    starts = (indptr[:-1] if whole else indptr[:-1][held]).numpy()
    if not len(starts):
        return values.new_full((len(values), len(indptr) - 1), nothing)
    found = torch.from_numpy(by.reduceat(values.detach().numpy(), starts, axis=1))
    if whole:
        return found
    out = values.new_full((len(values), len(indptr) - 1), nothing)
    out[:, held] = found
    return out
