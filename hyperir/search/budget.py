"""Budgets of a search: a number of documents, or a time such as "5ms" that a measured pace turns into one."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.core.types import Docs, Relevance, SparseLinear, Strategy
from hyperir.index.strategies import STRATEGIES

__all__ = ["Milliseconds", "Pace", "parse_budget", "search_pace"]

TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*")
NUMBER = re.compile(r"\s*\d[\d,_]*\s*")
REPEATS = 3
TRIED = (400, 2000)  # budgets whose searches are timed


@dataclass(frozen=True)
class Milliseconds:
    """A time that a query may take."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g} ms"


@dataclass(frozen=True)
class Pace:
    """What a search of one query costs on this machine: `start` seconds, and `each` for every document scored."""

    start: float
    each: float

    def documents(self, budget: Milliseconds, what: str) -> int:
        """How many documents fit.

        Raises:
            InputError: not even a few; names `what` searches.
        """
        count = int((budget.value / 1000 - self.start) / self.each)
        if count < 1:
            raise InputError(
                f"{what} cannot answer a query in {budget}",
                expected=f"more than {1000 * (self.start + self.each):.2g} ms, measured on this machine",
                fix="a longer time, or a budget in documents",
            )
        return count


def parse_budget(budget: int | str | None) -> int | Milliseconds | None:
    """A budget as users write it: documents as a number or its digits, a time as "5ms" or "0.1s".

    Raises:
        InputError: it is neither.
    """
    if budget is None or (isinstance(budget, int) and not isinstance(budget, bool) and budget > 0):
        return budget
    if isinstance(budget, str):
        if NUMBER.fullmatch(budget) and (count := int(re.sub(r"[,_]", "", budget))) > 0:
            return count
        if (found := TIME.fullmatch(budget)) and (value := float(found[1])) > 0:
            return Milliseconds(value * (1000 if found[2] == "s" else 1))
    raise InputError(
        "this is no budget of a search",
        expected='a number of documents above 0, or a time a query such as "5ms" or "0.1s"',
        got=repr(budget),
    )


def search_pace(searcher: Strategy[Any], f: Relevance[Any], k: int, docs: Docs, allowed: Tensor | None) -> Pace:
    """Time searches of one query under two budgets, and draw the line through both.

    Of "exact", which keeps no budget below the number of documents, a first part of the documents is scored instead;
    inverted lists are timed without a budget.

    Args:
        searcher: what searches.
        f: functions of one query or more; the first is used.
        k: answers.
        docs: what is searched.
        allowed: (N,) bool, or None.
    """
    one = f[slice(0, 1)]
    if isinstance(searcher, STRATEGIES["exact"]):
        part = docs[slice(0, min(docs.shape[0], max(TRIED)))]
        exact = STRATEGIES.build("exact", docs=part)
        return Pace(0.0, max(_seconds(lambda: exact.search(one, k)), 1e-9) / max(part.shape[0], 1))
    if isinstance(f, SparseLinear):  # the lists of a query are added up whole, or refused
        hits = searcher.search(one, k, allowed)
        return Pace(0.0, max(_seconds(lambda: searcher.search(one, k, allowed)), 1e-9) / max(hits.scored, 1))
    points = []
    for budget in TRIED:
        hits = searcher.search(one, k, allowed, budget)
        points.append((hits.scored, _seconds(partial(searcher.search, one, k, allowed, budget))))
    (few, quick), (many, slow) = points
    if many <= few or slow <= quick:
        return Pace(0.0, max(slow, 1e-9) / max(many, 1))
    each = (slow - quick) / (many - few)
    return Pace(max(quick - few * each, 0.0), each)


def _seconds(work: Callable[[], Any]) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
