"""Negatives inside of a training: drawn for every batch, found by the model as it is then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hyperir.core.docs import Dense
from hyperir.core.types import Docs, Strategy
from hyperir.encode.texts import query_text
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.train.data import TrainingSet
from hyperir.train.examples import Examples
from hyperir.train.negatives import NEGATIVES
from hyperir.train.negatives.pool import Pool
from hyperir.train.recipe import Recipe
from hyperir.train.retriever import Retriever
from hyperir.train.sampling import Key

__all__ = ["Negatives"]


class Negatives:
    """Fills up examples with negatives of the recipe's source.

    Args:
        recipe: names the source and the number of items.
        training_set: the examples as read.
        examples: the same as numbers, those held out left out.
        retriever: the model, which sources that search ask at the step that trains.
        store: the index with the documents' vectors, or None where they are encoded.
        held: numbers of documents that validation keeps from training.
    """

    def __init__(
        self,
        recipe: Recipe,
        training_set: TrainingSet,
        examples: Examples,
        retriever: Retriever,
        store: Store | None,
        held: Sequence[int] = (),
    ) -> None:
        assert recipe.negatives is not None
        kept = np.ones(len(examples.ids), dtype=bool)
        kept[list(held)] = False
        self._allowed = np.flatnonzero(kept)
        ids = [examples.ids[int(i)] for i in self._allowed]
        pool = Pool(ids, list(dict.fromkeys(examples.queries)), training_set.text)
        self._source: Any = NEGATIVES.build(recipe.negatives, pool=pool)
        self._numbers = {id_: int(i) for id_, i in zip(ids, self._allowed, strict=True)}
        self._training_set, self._examples, self._retriever, self._store = training_set, examples, retriever, store
        self._seed, self._wanted = recipe.seed, (recipe.batch.items or 1) - 1
        # Vectors that nothing changes are read from the index once, however often a source looks.
        self._still = store is not None and recipe.model.project is None
        self._exact: Strategy[Dense] | None = None
        self._looked = -1

    def __call__(self, keys: Sequence[Key]) -> list[tuple[list[int], list[float]]]:
        """Numbers and labels of every example's items, the positive first."""
        self._look()
        read = [self._training_set[int(self._examples.origin[example])] for _, example in keys]
        generator = np.random.default_rng((self._seed, 2, *keys[0]))
        drawn = self._source.sample(read, self._wanted, generator)
        found = []
        for example, negatives in zip(read, drawn, strict=True):
            labels = dict(zip(example.items, example.labels, strict=True))
            own = [example.items[0], *(id_ for id_ in negatives if id_ in self._numbers)]
            found.append(([self._numbers[id_] for id_ in own], [labels.get(id_, float("nan")) for id_ in own]))
        return found

    def _look(self) -> None:
        """Let the source look at the model again, where it is due."""
        step, every = self._retriever.step, self._source.every
        due = self._looked < 0 or (every and step // every > self._looked // every)
        if due:
            if not self._still:
                self._exact = None
            self._source.refresh(self._search, step)
            self._looked = step

    def _search(self, texts: list[str], k: int) -> list[list[str]]:
        model = self._retriever.model
        learning = self._retriever.training
        self._retriever.eval()
        try:
            with torch.no_grad():
                if self._exact is None:
                    self._exact = STRATEGIES.build("exact", docs=self._documents())
                hits = self._exact.search(model.encode_query([query_text(text) for text in texts]), k)
        finally:
            self._retriever.train(learning)
        ids = self._examples.ids
        return [[ids[self._allowed[row]] for row in rows if row >= 0] for rows in hits.rows.tolist()]

    def _documents(self) -> Docs:
        ids = [self._examples.ids[int(i)] for i in self._allowed]
        if self._store is None:
            docs: Docs = self._retriever.model.encode_document([self._training_set.text(id_) for id_ in ids])
            return docs
        rows = torch.tensor(self._store.positions(ids))
        vectors = self._store.docs[rows].vectors.float().to(self._retriever.model.device)
        return Dense(self._retriever.narrowed(vectors))
