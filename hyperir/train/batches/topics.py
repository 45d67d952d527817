"""Batches of one topic, so that in-batch negatives are about the same thing and hard (TAS, Hofstätter et al., 2021)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.index.strategies.cells import assign, kmeans

__all__ = ["TopicBatches", "TopicBatchesConfig"]

PER_TOPIC = 200  # queries of a topic in TAS-B, about: 2,000 topics of MS MARCO's 400,000


class TopicBatchesConfig(Config):
    """Configuration of batches of one topic.

    Args:
        topics: how many clusters of queries; None for one every 200 examples.
        seed: of the clustering.
    """

    type: Literal["topics"] = "topics"
    topics: int | None = Field(None, ge=1)
    seed: int = 0


class TopicBatches:
    """k-means over the queries' vectors, once; each batch from one cluster.

    What does not fill a batch of its cluster is filled up from other clusters, the nearest numbers first, so that an
    epoch still sees every example.
    """

    Config = TopicBatchesConfig

    def __init__(
        self, config: TopicBatchesConfig, *, examples: int, vectors: Callable[[], Tensor] | None = None
    ) -> None:
        if vectors is None:
            raise InputError("topics are clusters of the queries' vectors, and there are none")
        queries = Dense(vectors())
        if queries.shape[0] != examples:
            raise InputError(
                "the queries' vectors do not fit the examples", expected=f"{examples} vectors", got=str(queries.shape)
            )
        topics = config.topics or max(1, examples // PER_TOPIC)
        self.topics: np.ndarray[Any, Any] = assign(queries, kmeans(queries, topics, config.seed)).numpy()

    def __call__(self, size: int, generator: np.random.Generator) -> np.ndarray[Any, Any]:
        """See :class:`hyperir.train.batches.BatchOrder`."""
        batches: list[np.ndarray[Any, Any]] = []
        rests = []
        order = generator.permutation(len(self.topics))
        by_topic = order[np.argsort(self.topics[order], kind="stable")]
        for group in np.split(by_topic, np.flatnonzero(np.diff(self.topics[by_topic])) + 1):
            whole = len(group) - len(group) % size
            batches.extend(group[:whole].reshape(-1, size))
            rests.append(group[whole:])
        rest = np.concatenate(rests) if rests else order
        # Which ones wait for another epoch is up to chance: else it would always be those of the last topic.
        start = int(generator.integers(len(rest) % size + 1))
        batches.extend(rest[start : start + len(rest) - len(rest) % size].reshape(-1, size))
        shuffled = np.array(batches, dtype=np.int64).reshape(-1, size)
        return shuffled[generator.permutation(len(shuffled))]
