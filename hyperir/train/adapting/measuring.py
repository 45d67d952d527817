"""What a function is worth on held-out queries: exhaustive search over the index, or over a sample of a large one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from hyperir.core.docs import Dense, States
from hyperir.core.progress import Progress
from hyperir.core.types import Relevance
from hyperir.encode.model import Model
from hyperir.evaluate import Scores, evaluate
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.train.adapting.splitting import Held

__all__ = ["Field", "Reader", "measure"]

BLOCK = 64  # queries searched at once
DEPTH = 100  # answers of a query
MOST = 50_000  # documents searched; of a larger index a sample, with all that answer a query


@dataclass(frozen=True)
class Field:
    """Documents that are searched.

    Args:
        ids: of them.
        docs: their vectors, (N,).
    """

    ids: Sequence[str]
    docs: Dense

    @classmethod
    def of(cls, store: Store, needed: Sequence[str], seed: int) -> Field:
        """All of an index, or `MOST` of them, those that are needed included."""
        alive = list(range(store.commit.stored)) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
        if len(alive) > MOST:
            kept = set(store.positions(sorted(set(needed)))) - {-1}
            others = [row for row in alive if row not in kept]
            alive = sorted([*kept, *Random(seed).sample(others, max(MOST - len(kept), 0))])
        found: Tensor = store.docs[torch.tensor(alive)].vectors.float()
        return cls(store.ids(alive), Dense(found))


class Reader:
    """Functions of queries, which are read once where all models have the same query encoder.

    Args:
        same: whether they have.
    """

    def __init__(self, same: bool) -> None:
        self._same = same
        self._read: dict[tuple[str, ...], States] = {}

    def __call__(self, model: Model, texts: Sequence[str]) -> Relevance[Any]:
        """f of a block of queries."""
        if not self._same:
            found: Relevance[Any] = model.encode_query(texts, show_progress_bar=False)
            return found
        key = tuple(texts)
        if key not in self._read:
            self._read[key] = model.query.many_states(texts, BLOCK, Progress("", len(texts), "queries", show=False))
        with torch.no_grad():
            return model.function(self._read[key])


def measure(
    model: Model, held: Held, field: Field, measures: Sequence[str], reader: Reader, what: str = "Testing"
) -> Scores:
    """The measures of a model's answers.

    Args:
        model: whose functions search.
        held: queries and what answers them.
        field: the documents searched.
        measures: names of ir_measures.
        reader: of the queries.
        what: for the bar.
    """
    exact = STRATEGIES.build("exact", docs=_as_read(model, field.docs))
    run: dict[str, dict[str, float]] = {}
    ids = list(held.queries)
    with Progress(what, len(ids), "queries") as bar:
        for start in range(0, len(ids), BLOCK):
            some = ids[start : start + BLOCK]
            f = reader(model, [held.queries[query] for query in some])
            hits = exact.search(f, DEPTH)
            for query, rows, scores in zip(some, hits.rows.tolist(), hits.scores.tolist(), strict=True):
                found = ((field.ids[row], score) for row, score in zip(rows, scores, strict=True) if row >= 0)
                run[query] = {id_: score for id_, score in found if id_ not in held.ignored[query]}
            bar.advance(len(some))
    return evaluate(held.qrels, run, list(measures))


def _as_read(model: Model, docs: Dense) -> Dense:
    """Documents in the width that a model reads: an index's wide vectors as it projects them."""
    if model.document.projection is None or docs.vectors.shape[-1] == model.width:
        return docs
    with torch.no_grad():
        return Dense(model.document.projection(docs.vectors))
