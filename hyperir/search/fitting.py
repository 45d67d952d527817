"""The model of an index: loaded when it is needed, and fitted to the documents where it must know them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from hyperir.core.docs import Sparse
from hyperir.core.types import Encoder, Fitting
from hyperir.index.commit import Fitted, Structure
from hyperir.index.matching import match
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.index.strategies.postings import Postings
from hyperir.index.structures import KEYS
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.search.fitted import model_of

__all__ = ["IndexModel", "statistics_of"]

BLOCK = 1 << 15  # documents counted at once

Tensors: TypeAlias = Callable[[Structure], Mapping[str, Tensor]]  # what a structure of the commit consists of


class IndexModel:
    """What encodes the documents and queries of an index.

    Args:
        model: given by whoever opened the index; None loads the one that the index names.
    """

    def __init__(self, model: Encoder[Any] | None) -> None:
        self._model = model
        self._given = model is not None
        self._kept: Fitted | None = None  # what `_model` is, where nobody gave it
        self._fitted: tuple[int, Encoder[Any]] | None = None  # of one commit

    def plain(self, store: Store) -> Encoder[Any]:
        """The model, which encodes documents whatever others there are.

        Raises:
            InputError: there is none.
            FingerprintError: it is another one than the index was made with.
        """
        if self._model is None or (not self._given and self._kept != store.fitted):
            self._model, self._kept = model_of(store), store.fitted
        return self._model

    def fitted(self, store: Store, tensors: Tensors) -> Encoder[Any]:
        """The model as it asks of the documents of a commit; the same one where they do not matter to it.

        Args:
            store: at that commit.
            tensors: of its structures.
        """
        model = self.plain(store)
        if not isinstance(model, Fitting):
            return model
        if self._fitted is None or self._fitted[0] != store.number:
            self._fitted = store.number, model.fitted(statistics_of(store, tensors))
        return self._fitted[1]


def statistics_of(store: Store, tensors: Tensors) -> Statistics:
    """Of the words of the documents alive.

    They are read off inverted lists, where the index keeps some, and counted only in the documents that came later;
    else in all documents, block by block.
    """
    rows = torch.arange(len(store.docs)) if store.alive is None else store.alive.nonzero().flatten()
    found = match(store.commit.structures, STRATEGIES.parse("inverted"))
    if found is None or not len(rows):
        return Statistics.sum(Statistics.of(block) for block in _blocks(store.docs, rows))
    built = tensors(found[0])
    covered = store.covered(built[KEYS])
    alive = covered.present.clone()
    if store.alive is not None:
        alive &= store.alive[covered.rows]
    later = torch.ones(len(store.docs), dtype=torch.bool)
    later[covered.rows[covered.present]] = False
    rest = rows[later[rows]]
    parts = [_listed(Postings.of_tensors(built), alive), *(Statistics.of(block) for block in _blocks(store.docs, rest))]
    return Statistics.sum(parts)


def _blocks(docs: Any, rows: Tensor) -> Iterator[Sparse]:
    for part in torch.split(rows, BLOCK):
        if not len(part):
            return
        first, last = int(part[0]), int(part[-1])
        yield docs[slice(first, last + 1)] if last - first + 1 == len(part) else docs[part]


def _listed(lists: Postings, alive: Tensor) -> Statistics:
    """Of the documents of lists that are alive, (S,) bool."""
    if alive.all():
        return Statistics(len(alive), float(lists.sums.double().sum()), lists.words, lists.lengths)
    own = alive.numpy()[lists.rows.numpy()]
    counts = torch.from_numpy(np.add.reduceat(own, lists.starts[:-1].numpy(), dtype=np.int64)) if len(own) else own
    kept = torch.as_tensor(counts) > 0
    return Statistics(
        int(alive.sum()), float(lists.sums[alive].double().sum()), lists.words[kept], torch.as_tensor(counts)[kept]
    )
