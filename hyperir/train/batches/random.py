"""Batches without any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from torch import Tensor

from hyperir.core.config import Config

__all__ = ["RandomBatches", "RandomBatchesConfig"]


class RandomBatchesConfig(Config):
    """Random batches have no options."""

    type: Literal["random"] = "random"


class RandomBatches:
    """A permutation of the examples, cut into batches."""

    Config = RandomBatchesConfig

    def __init__(
        self, config: RandomBatchesConfig, *, examples: int, vectors: Callable[[], Tensor] | None = None
    ) -> None:
        self._examples = examples

    def __call__(self, size: int, generator: np.random.Generator) -> np.ndarray[Any, Any]:
        """See :class:`hyperir.train.batches.BatchOrder`."""
        whole = self._examples - self._examples % size
        return generator.permutation(self._examples)[:whole].reshape(-1, size)
