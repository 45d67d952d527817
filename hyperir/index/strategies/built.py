"""Checks of what strategies built, when it comes from disk: nothing in it leads outside the documents."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["check_points", "check_rows"]


def check_rows(
    built: Mapping[str, Tensor],
    name: str,
    shape: tuple[int | None, ...],
    below: int,
    *,
    dtype: torch.dtype = torch.int64,
    none: bool = False,
) -> None:
    """Raise ValueError unless a tensor holds whole numbers from 0 to `below` - 1.

    Args:
        built: the tensors.
        name: of the one that is checked.
        shape: None for an axis of any length.
        below: greater than all of them.
        dtype: of the numbers.
        none: whether -1 may stand where there is none.
    """
    tensor = built[name]
    _check_shape(tensor, name, shape, dtype)
    if tensor.numel():
        low, high = (int(bound) for bound in tensor.aminmax())
        if low < -int(none) or high >= below:
            raise ValueError(f"{name} holds {low if low < -int(none) else high}, which is no number below {below:,}")


def check_points(built: Mapping[str, Tensor], name: str, shape: tuple[int | None, int]) -> None:
    """Raise ValueError unless a tensor holds finite fp32 vectors."""
    tensor = built[name]
    _check_shape(tensor, name, shape, torch.float32)
    if not tensor.isfinite().all():
        raise ValueError(f"{name} holds numbers that are not finite")


def _check_shape(tensor: Tensor, name: str, shape: tuple[int | None, ...], dtype: torch.dtype) -> None:
    fits = len(shape) == tensor.ndim and all(a in (None, b) for a, b in zip(shape, tensor.shape, strict=False))
    if tensor.dtype != dtype or not fits:
        raise ValueError(f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}")
