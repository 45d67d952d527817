"""All examples of a training set in memory as numbers, so that a batch is put together without Python per document."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperir.core.errors import InputError
from hyperir.core.progress import track
from hyperir.train.data import TrainingSet

__all__ = ["Examples", "gather"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Examples:
    """N examples over documents that are numbered from 0.

    Args:
        queries: texts, N.
        ids: of the documents, by number.
        starts: (N + 1,) where each example's items begin and end in `items`.
        items: documents' numbers, int32, the positive one first in every example.
        labels: float32, one an item, NaN where unknown.
    """

    queries: Sequence[str]
    ids: Sequence[str]
    starts: Array
    items: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.queries)

    @property
    def first(self) -> Array:
        """(N,) every example's positive document."""
        return self.items[self.starts[:-1]]

    def of(self, i: int) -> tuple[Array, Array]:
        """Items and labels of an example."""
        part = slice(self.starts[i], self.starts[i + 1])
        return self.items[part], self.labels[part]

    def positives(self) -> list[Array]:
        """For every example all documents that are the positive of an example with the same query."""
        _, same = np.unique(np.array(self.queries, dtype=object), return_inverse=True)
        order = np.argsort(same, kind="stable")
        groups = np.split(self.first[order], np.flatnonzero(np.diff(same[order])) + 1)
        unique = [np.unique(group) for group in groups]
        return [unique[group] for group in same]

    def without(self, documents: Array) -> Examples:
        """Only examples whose positive is none of these documents, and without them among the items."""
        forbidden = np.zeros(len(self.ids), dtype=bool)
        forbidden[documents] = True
        kept = np.flatnonzero(~forbidden[self.first])
        items, labels, starts = [], [], [0]
        for i in kept:
            own, targets = self.of(int(i))
            fine = ~forbidden[own]
            items.append(own[fine])
            labels.append(targets[fine])
            starts.append(starts[-1] + int(fine.sum()))
        return Examples(
            [self.queries[int(i)] for i in kept],
            self.ids,
            np.array(starts, dtype=np.int64),
            np.concatenate(items) if items else self.items[:0],
            np.concatenate(labels) if labels else self.labels[:0],
        )


def gather(training_set: TrainingSet, *, show_progress: bool = True) -> Examples:
    """Read a training set once.

    Raises:
        InputError: it is empty, or an example has no items, or not a label for each.
    """
    numbers: dict[str, int] = {}
    queries: list[str] = []
    items, labels, starts = array("i"), array("f"), array("q", [0])
    for i in track(range(len(training_set)), "Reading", len(training_set), "examples", show=show_progress):
        example = training_set[i]
        if not example.items or len(example.items) != len(example.labels):
            raise InputError(
                f"example {i} of the training set cannot be learned from",
                expected="a positive item, and a label for every item",
                got=f"{len(example.items)} items and {len(example.labels)} labels",
            )
        queries.append(example.query)
        items.extend(numbers.setdefault(id_, len(numbers)) for id_ in example.items)
        labels.extend(example.labels)
        starts.append(len(items))
    if not queries:
        raise InputError("the training set is empty", expected="an example at least")
    return Examples(
        queries,
        list(numbers),
        np.frombuffer(starts, dtype=np.int64),
        np.frombuffer(items, dtype=np.int32),
        np.frombuffer(labels, dtype=np.float32),
    )
