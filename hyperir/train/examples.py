"""All examples of a training set in memory as numbers, so that a batch is put together without Python per document."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
        positives: for every example the numbers of all documents known to be relevant to its query, ascending.
        origin: (N,) places in the training set.
    """

    queries: Sequence[str]
    ids: Sequence[str]
    starts: Array
    items: Array
    labels: Array
    positives: Sequence[Array]
    origin: Array

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

    def without(self, documents: Array) -> Examples:
        """Only examples whose queries have none of these documents as a positive, and without them as items."""
        forbidden = np.zeros(len(self.ids), dtype=bool)
        forbidden[documents] = True
        fine = np.array([not forbidden[known].any() for known in self.positives])
        kept = np.flatnonzero(fine)
        own = np.repeat(fine, np.diff(self.starts)) & ~forbidden[self.items]
        counts = np.concatenate([[0], np.cumsum(own)])
        sizes = (counts[self.starts[1:]] - counts[self.starts[:-1]])[kept]
        return replace(
            self,
            queries=[self.queries[int(i)] for i in kept],
            starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            items=self.items[own],
            labels=self.labels[own],
            positives=[self.positives[int(i)] for i in kept],
            origin=self.origin[kept],
        )


def gather(training_set: TrainingSet, others: Iterable[str] = (), *, show_progress: bool = True) -> Examples:
    """Read a training set once.

    Args:
        training_set: the examples.
        others: ids of more documents to number, which no example needs to name.
        show_progress: show a bar.

    Raises:
        InputError: it is empty, or an example has no items, or not a label for each.
    """
    numbers: dict[str, int] = {}
    queries: list[str] = []
    known: dict[str, set[str]] = {}
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
        known.setdefault(example.query, set()).update(example.positives, example.items[:1])
    for id_ in others:
        numbers.setdefault(id_, len(numbers))
    if not queries:
        raise InputError("the training set is empty", expected="an example at least")
    # A document that nobody names is in no batch, so it needs no number.
    positives = {
        query: np.array(sorted(numbers[id_] for id_ in ids if id_ in numbers), dtype=np.int64)
        for query, ids in known.items()
    }
    return Examples(
        queries,
        list(numbers),
        np.frombuffer(starts, dtype=np.int64),
        np.frombuffer(items, dtype=np.int32),
        np.frombuffer(labels, dtype=np.float32),
        [positives[query] for query in queries],
        np.arange(len(queries)),
    )
