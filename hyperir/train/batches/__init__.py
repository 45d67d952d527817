"""Batches: which examples stand together, and so whose documents are negatives for whom. One file each.

A member is made from (config, examples=, vectors=): the number of examples, and what gives their queries' vectors,
(N, D), when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hyperir.core.registry import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator

__all__ = ["BATCHES", "BatchOrder"]


class BatchOrder(Protocol):
    """What every member offers."""

    def __call__(self, size: int, generator: Generator) -> np.ndarray[Any, Any]:
        """One epoch: numbers of examples, (B, size), each at most once; fewer than `size` wait for another epoch.

        Args:
            size: of a batch over all processes.
            generator: all that is drawn is drawn with it.
        """
        ...


BATCHES: Table[BatchOrder] = Table(
    "batches",
    {
        "random": "hyperir.train.batches.random:RandomBatches",
        "topics": "hyperir.train.batches.topics:TopicBatches",
    },
)
