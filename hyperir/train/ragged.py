"""Rows of different lengths one after the other: token ids, and token states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Ragged"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Ragged:
    """N rows of different lengths.

    Args:
        values: all rows one after the other, (total, ...); may be mapped from a file.
        lengths: (N,).
    """

    values: Array
    lengths: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> Array:
        start: Array = self.__dict__["starts"]
        return self.values[start[i] : start[i + 1]]
