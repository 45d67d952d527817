"""What one step sees, and how it is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperir.core.docs import States
from hyperir.encode.tokenizer import TokenBatch
from hyperir.train.examples import Examples
from hyperir.train.sampling import Key, choose
from hyperir.train.sources import Part, Source

__all__ = ["Batch", "Collate"]


Drawn = Callable[[Sequence[Key]], list[tuple[Any, Any]]]  # examples -> numbers and labels of each one's items


@dataclass(frozen=True)
class Batch:
    """Q queries over N different documents.

    Args:
        queries: of Q texts.
        documents: of N texts.
        items: (Q, K) places among the N documents, a query's positive first; -1 pads.
        targets: (Q, K) float32, NaN where unknown.
        numbers: (N,) of the documents in the training set.
        positives: (Q, P) numbers of each query's known positives; -1 pads.
    """

    queries: Part
    documents: Part
    items: Tensor
    targets: Tensor
    numbers: Tensor
    positives: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return replace(
            self,
            queries=_to(self.queries, device),
            documents=_to(self.documents, device),
            **{name: getattr(self, name).to(device) for name in ("items", "targets", "numbers", "positives")},
        )


class Collate:
    """Puts batches together.

    Args:
        examples: all of them.
        queries: the source of queries, by example.
        documents: the source of documents, by number.
        items: K, at most.
        seed: draws items.
        negatives: fills the items up; None draws them from the example's own.
    """

    def __init__(
        self,
        examples: Examples,
        queries: Source,
        documents: Source,
        items: int | None,
        seed: int,
        negatives: Drawn | None = None,
    ) -> None:
        self.examples, self.queries, self.documents = examples, queries, documents
        self.items, self.seed, self.negatives = items, seed, negatives

    def __call__(self, keys: Sequence[Key]) -> Batch:
        """The batch of these examples."""
        chosen = self._own(keys) if self.negatives is None else self.negatives(keys)
        width = max(len(items) for items, _ in chosen)
        items = np.full((len(keys), width), -1, dtype=np.int64)
        targets = np.full((len(keys), width), np.nan, dtype=np.float32)
        for row, (own, labels) in enumerate(chosen):
            items[row, : len(own)] = own
            targets[row, : len(own)] = labels
        real = items >= 0
        numbers, places = np.unique(items[real], return_inverse=True)
        items[real] = places
        return Batch(
            self.queries(np.array([example for _, example in keys])),
            self.documents(numbers),
            torch.from_numpy(items),
            torch.from_numpy(targets),
            torch.from_numpy(numbers),
            torch.from_numpy(_padded([self.examples.positives[example] for _, example in keys])),
        )

    def _own(self, keys: Sequence[Key]) -> list[tuple[Any, Any]]:
        chosen = []
        for key in keys:
            items, labels = self.examples.of(key[1])
            places = choose(len(items), self.items, self.seed, key)
            chosen.append((items[places], labels[places]))
        return chosen


def _padded(rows: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    out = np.full((len(rows), max(len(row) for row in rows)), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out


def _to(part: Part, device: torch.device) -> Part:
    if isinstance(part, States):
        return part.to(device)
    if isinstance(part, Tensor):
        return part.to(device, non_blocking=True)
    return tuple(
        TokenBatch(one.rows.to(device), one.ids.to(device), None if one.mask is None else one.mask.to(device))
        for one in part
    )
