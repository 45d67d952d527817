"""Where training stands: exhaustive search over a collection or a sample of one, by a retrieval measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.types import Docs, Row
from hyperir.corpus import open_collection
from hyperir.evaluate import check_measures, evaluate
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.train.data import TrainingSet
from hyperir.train.examples import Examples
from hyperir.train.recipe import ValidationRecipe
from hyperir.train.retriever import Retriever
from hyperir.train.sources import Source

__all__ = ["Task", "Validation", "from_collection", "held_out"]

BLOCK = 32  # queries searched at once


@dataclass(frozen=True)
class Task:
    """What is searched for what.

    Args:
        queries: texts by id.
        qrels: judgements.
        ids: of the documents searched.
        documents: their texts; None where their vectors come from an index.
        rows: (N,) where they stand in the index; None where they are encoded.
    """

    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    ids: Sequence[str]
    documents: Sequence[Row | str] | None = None
    rows: Tensor | None = None


class Validation:
    """Measures a retriever on a task.

    Args:
        task: see :class:`Task`.
        source: of the task's queries, by their order.
        store: the index, where the task's documents are in one.
        recipe: measures and depth.
    """

    def __init__(self, task: Task, source: Source, store: Store | None, recipe: ValidationRecipe) -> None:
        check_measures(recipe.measures)
        self.task, self.source, self.store, self.recipe = task, source, store, recipe

    def __call__(self, retriever: Retriever) -> dict[str, float]:
        """Measures by name."""
        learning = retriever.training
        retriever.eval()
        try:
            with torch.no_grad():
                return self._measured(retriever)
        finally:
            retriever.train(learning)

    def _measured(self, retriever: Retriever) -> dict[str, float]:
        exact = STRATEGIES.build("exact", docs=self._documents(retriever))
        ids, names = list(self.task.queries), self.task.ids
        run: dict[str, dict[str, float]] = {}
        for start in range(0, len(ids), BLOCK):
            some = ids[start : start + BLOCK]
            part = self.source(np.arange(start, start + len(some)))
            f = retriever.model.function(retriever.states(part))
            hits = exact.search(f, self.recipe.depth)
            for query, rows, scores in zip(some, hits.rows.tolist(), hits.scores.tolist(), strict=True):
                run[query] = {names[row]: score for row, score in zip(rows, scores, strict=True) if row >= 0}
        return evaluate(self.task.qrels, run, self.recipe.measures).means()

    def _documents(self, retriever: Retriever) -> Docs:
        if self.task.rows is not None:
            assert self.store is not None
            vectors = self.store.docs[self.task.rows].vectors.float().to(retriever.model.device)
            return Dense(retriever.narrowed(vectors))
        assert self.task.documents is not None
        docs: Docs = retriever.model.encode_document(self.task.documents, show_progress_bar=False)
        return docs


def held_out(
    examples: Examples, training_set: TrainingSet, store: Store | None, recipe: ValidationRecipe, seed: int
) -> tuple[Task, Examples, list[int]]:
    """Keep a share of the documents from training: a task over them, the examples left, and their numbers."""
    rng = np.random.default_rng((seed, 1))
    count = max(1, round(recipe.hold_out * len(examples.ids)))
    held = np.sort(rng.permutation(len(examples.ids))[:count])
    touched = [i for i, known in enumerate(examples.positives) if np.isin(known, held).any()]
    first_of = {examples.queries[i]: i for i in reversed(touched)}
    queries = {f"q{i}": text for text, i in first_of.items()}
    qrels = {f"q{i}": {examples.ids[number]: 1 for number in examples.positives[i]} for i in first_of.values()}
    left = examples.without(held)
    if not queries or not len(left):
        raise InputError(
            "holding out documents leaves no queries on one side",
            expected="a share between both",
            got=f"hold_out = {recipe.hold_out} of {len(examples.ids):,} documents",
        )
    task = _task(_some(queries, recipe, rng), qrels, examples.ids, training_set, store, recipe, rng)
    return task, left, held.tolist()


def from_collection(store: Store | None, recipe: ValidationRecipe, seed: int) -> Task:
    """The task that a collection with judgements sets."""
    assert recipe.source is not None
    collection = open_collection(recipe.source)
    qrels = collection.qrels(recipe.split)
    rng = np.random.default_rng((seed, 1))
    judged = {query for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    queries = {query: text for query, text in collection.queries(recipe.split).items() if query in judged}
    texts: dict[str, Row] = {}
    if store is None:
        texts = {row["id"]: row for row in collection.documents()}
    return _task(_some(queries, recipe, rng), qrels, list(texts), texts, store, recipe, rng)


def _some(queries: dict[str, str], recipe: ValidationRecipe, rng: np.random.Generator) -> dict[str, str]:
    if recipe.queries is None or len(queries) <= recipe.queries:
        return queries
    ids = list(queries)
    return {ids[i]: queries[ids[i]] for i in np.sort(rng.permutation(len(ids))[: recipe.queries])}


def _task(
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    ids: Sequence[str],
    texts: Any,
    store: Store | None,
    recipe: ValidationRecipe,
    rng: np.random.Generator,
) -> Task:
    own = {query: qrels[query] for query in queries}
    judged = sorted({id_ for grades in own.values() for id_ in grades})
    if store is not None:
        return _task_of_index(queries, own, judged, store, recipe, rng)
    others = sorted(set(ids) - set(judged))
    drawn = _drawn(len(others), recipe, rng)
    kept = [*judged, *(others[i] for i in drawn)]
    read = texts.__getitem__ if isinstance(texts, dict) else texts.text
    return Task(queries, own, kept, documents=[read(id_) for id_ in kept])


def _task_of_index(
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    judged: list[str],
    store: Store,
    recipe: ValidationRecipe,
    rng: np.random.Generator,
) -> Task:
    places = np.array(store.positions(judged), dtype=np.int64)
    missing = [id_ for id_, place in zip(judged, places, strict=True) if place < 0]
    if missing:
        raise InputError(
            f"{store.path} lacks {len(missing):,} of the {len(judged):,} documents that validation judges",
            expected="all of them",
            got=f"for example no {missing[0]!r}",
            fix="index the validation's collection as well, or validate with hold_out",
        )
    alive = np.arange(store.docs.shape[0]) if store.alive is None else store.alive.nonzero()[:, 0].numpy()
    others = np.setdiff1d(alive, places)
    rows = np.concatenate([places, others[_drawn(len(others), recipe, rng)]])
    ids = [*judged, *store.ids(rows[len(judged) :].tolist())]
    return Task(queries, qrels, ids, rows=torch.from_numpy(rows))


def _drawn(others: int, recipe: ValidationRecipe, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if recipe.documents is None or others <= recipe.documents:
        return np.arange(others)
    return np.sort(rng.permutation(others)[: recipe.documents])
