"""Which examples a batch holds, and which of an example's items: drawn from the seed, the epoch and the place alone.

So a run that was interrupted goes on with the same batches, whatever was drawn elsewhere in between.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from hyperir.core.errors import InputError
from hyperir.train.batches import BatchOrder

__all__ = ["Batches", "Key", "choose"]

Key = tuple[int, int]  # epoch, example


class Batches(Sampler[list[Key]]):
    """The batches of one process; examples that do not fill a batch of all processes wait for another epoch.

    Args:
        examples: how many there are.
        size: of one process's batch.
        seed: the order of every epoch is drawn from it.
        rank: this process.
        world: processes.
        order: says which examples stand together.
    """

    def __init__(
        self, examples: int, size: int, seed: int, order: BatchOrder, *, rank: int = 0, world: int = 1
    ) -> None:
        if examples < size * world:
            raise InputError(
                "there are fewer examples than a batch holds",
                expected=f"{size * world} at least ({size} for each of {world} processes)",
                got=str(examples),
                fix=f"batch.queries={max(examples // world, 1)}",
            )
        self.examples, self.size, self.seed, self.rank, self.world = examples, size, seed, rank, world
        self.order = order
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw another order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.examples // (self.size * self.world)

    def __iter__(self) -> Iterator[list[Key]]:
        batches = self.order(self.size * self.world, np.random.default_rng((self.seed, self.epoch)))
        if batches.shape != (len(self), self.size * self.world):
            raise InputError(
                "the order of batches leaves examples out",
                expected=f"{len(self)} batches of {self.size * self.world}",
                got=f"{batches.shape[0]} of {batches.shape[1]}",
            )
        own = slice(self.rank * self.size, (self.rank + 1) * self.size)
        for batch in batches:
            yield [(self.epoch, int(example)) for example in batch[own]]


def choose(items: int, wanted: int | None, seed: int, key: Key) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Which of an example's items take part: the first one, and others drawn anew for every epoch, in their order."""
    if wanted is None or items <= wanted:
        return np.arange(items)
    drawn = np.random.default_rng((seed, *key)).choice(items - 1, wanted - 1, replace=False)
    return np.concatenate([[0], np.sort(drawn) + 1])
