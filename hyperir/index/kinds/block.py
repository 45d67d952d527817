"""Documents on their way to the disk, of any kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Block", "Part"]


class Part(NamedTuple):
    """A tensor of a packed file.

    Args:
        name: in the file.
        dtype: numpy's name of it.
        shape: of one row.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape, dtype=np.int64))


class Block(NamedTuple):
    """Some documents.

    Args:
        tensors: what a kind's parts hold of them, P rows each.
        lengths: (n,) how many rows each document has; None where each has one.
    """

    tensors: tuple[np.ndarray[Any, Any], ...]
    lengths: np.ndarray[Any, Any] | None = None

    @property
    def documents(self) -> int:
        """n."""
        return len(self.tensors[0] if self.lengths is None else self.lengths)

    def copied(self) -> Block:
        """The same in memory of its own."""
        return Block(tuple(np.array(each, order="C") for each in self.tensors), self.lengths)
