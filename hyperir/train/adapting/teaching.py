"""Candidates of every query, found in the index, and what a teacher says of them; written down as it goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.encode.model import Model
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.train.adapting.asked import Asked
from hyperir.train.adapting.settings import Settings
from hyperir.train.adapting.words import Words
from hyperir.train.ledger import Ledger
from hyperir.train.teachers import Teacher

__all__ = ["TAUGHT", "Taught", "scored", "teach_index"]

BLOCK = 64  # queries searched, scored and written together
TAUGHT = "taught.jsonl"


@dataclass(frozen=True)
class Taught:
    """A query with its candidates.

    Args:
        asked: the query; of one from a log the teacher's favourite answers it.
        items: ids of its candidates, the documents that answer it first.
        scores: the teacher's; none where nobody teaches.
        own: those of the index's function.
    """

    asked: Asked
    items: list[str]
    scores: list[float] | None
    own: list[float]


class _Scorer(Protocol):
    def __call__(self, queries: list[str], rows: list[list[int]], own: list[list[float]]) -> list[list[float]]: ...


def teach_index(
    store: Store, model: Model, asked: Sequence[Asked], settings: Settings, file: Path, header: dict[str, Any]
) -> list[Taught]:
    """Find and score the candidates of all queries. A stop loses the block at work; the same call goes on after it.

    Args:
        store: the index.
        model: its function as it is.
        asked: the queries.
        settings: teacher and number of candidates.
        file: where it is written down.
        header: says what it is of.
    """
    with Ledger(file, header) as ledger, Progress("Asking the teacher", len(asked), "queries") as bar:
        bar.advance(ledger.done)
        if ledger.done < len(asked):
            worker = _Worker(store, model, settings)
            while ledger.done < len(asked):
                some = asked[ledger.done : ledger.done + BLOCK]
                ledger.append(worker.lines(some))
                bar.advance(len(some))
    with file.open(encoding="utf-8") as lines:
        next(lines)
        found = [
            _taught(each, json.loads(line), settings)
            for each, line in zip(asked, lines, strict=True)
        ]  # fmt: skip
    return [each for each in found if each is not None]


def _taught(asked: Asked, line: dict[str, Any], settings: Settings) -> Taught | None:
    items, scores, own = line["items"], line["scores"], line["own"]
    if not asked.grades:
        if scores is None or not items:
            return None  # nobody knows what answers it
        best = max(range(len(items)), key=lambda place: (scores[place], -place))
        asked = replace(asked, grades={items[best]: 1})
    order = sorted(range(len(items)), key=lambda place: items[place] not in asked.grades)
    return Taught(
        asked,
        [items[place] for place in order],
        None if scores is None else [scores[place] for place in order],
        [own[place] for place in order],
    )


class _Worker:
    """Searches and scores blocks of queries."""

    def __init__(self, store: Store, model: Model, settings: Settings) -> None:
        self._store, self._model, self._settings = store, model, settings
        self._exact: Any = STRATEGIES.build("exact", docs=store.docs)
        name = settings.teacher[0]
        self._words = Words(store) if name in ("fused", "bm25") else None
        self._scorer = self._scorer_of(settings.teacher)

    def lines(self, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """What is written down of these queries."""
        queries = [each.text for each in asked]
        f = self._model.encode_query(queries, show_progress_bar=False)
        k = self._settings.candidates
        found = [self._exact.search(f, k, self._store.alive).rows]
        if self._words is not None:
            found.append(self._words.best(queries, k))
        rows = [self._mixed(each, [one[place].tolist() for one in found]) for place, each in enumerate(asked)]
        with torch.no_grad():
            own = [f[q : q + 1](self._store.docs[torch.tensor(few)])[0].tolist() for q, few in enumerate(rows)]
        scores = None if self._scorer is None else self._scorer(queries, rows, own)
        flat = iter(self._store.ids([row for few in rows for row in few]))
        return [
            {
                "items": [next(flat) for _ in few],
                "own": _short(own[place]),
                "scores": None if scores is None else _short(scores[place]),
            }
            for place, few in enumerate(rows)
        ]

    def _mixed(self, asked: Asked, found: list[list[int]]) -> list[int]:
        """The documents that answer a query, then the best ones of every search in turn."""
        known = [row for row in self._store.positions(sorted(asked.grades)) if row >= 0] if asked.grades else []
        turns = [row for places in zip(*found, strict=True) for row in places if row >= 0]
        return list(dict.fromkeys([*known, *turns]))[: max(self._settings.candidates, len(known))]

    def _scorer_of(self, names: tuple[str, ...]) -> _Scorer | None:
        words = self._words
        if names == ("none",):
            return None
        if names == ("vectors",):
            return lambda queries, rows, own: own
        if words is not None and names == ("bm25",):
            return lambda queries, rows, own: words.scores(queries, rows)
        if words is not None:
            return lambda queries, rows, own: _added(words.scores(queries, rows), own)
        from hyperir.train.teachers.opening import load_teacher

        return _Models(load_teacher(list(names)), self._store)


@dataclass(frozen=True)
class _Models:
    """A teacher that reads texts."""

    teacher: Teacher
    store: Store

    def __call__(self, queries: list[str], rows: list[list[int]], own: list[list[float]]) -> list[list[float]]:
        unique = sorted({row for few in rows for row in few})
        texts = dict(zip(unique, self.store.rows(unique), strict=True))
        found = self.teacher(queries, [[texts[row] for row in few] for few in rows])
        if not all(abs(score) < float("inf") for few in found for score in few):  # also false for NaN
            raise InputError("the teacher's scores are no finite numbers", got="infinity or NaN")
        return found


def scored(taught: Taught) -> list[float] | None:
    """The teacher's scores with mean 0 and deviation 1, no document above those that answer the query."""
    if taught.scores is None:
        return None
    values = _standard(torch.tensor(taught.scores, dtype=torch.float64))
    answers = sum(item in taught.asked.grades for item in taught.items)
    values[:answers] = values[:answers].clamp_min(float(values.max()) if len(values) > answers else 0.0)
    return _short(values.tolist())


def _added(some: list[list[float]], others: list[list[float]]) -> list[list[float]]:
    pairs = zip(some, others, strict=True)
    return [(_standard(torch.tensor(a).double()) + _standard(torch.tensor(b).double())).tolist() for a, b in pairs]


def _standard(values: Tensor) -> Tensor:
    deviation = values.std(correction=0)
    centred = values - values.mean()
    return centred / deviation if deviation > 0 else centred


def _short(values: list[float]) -> list[float]:
    return [float(f"{value:.7g}") for value in values]
