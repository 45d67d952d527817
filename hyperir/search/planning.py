"""What a search will do: the strategy that "auto" means for it, and a budget as a number of documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.types import Docs, Relevance, SparseLinear, Strategy
from hyperir.index.strategies import STRATEGIES
from hyperir.search.auto import choose
from hyperir.search.budget import Milliseconds, Pace, parse_budget, search_pace

__all__ = ["Planner"]


class Planner:
    """Plans searches over documents that do not change, and remembers what it timed.

    Args:
        docs: (N,) representations.
        searcher: makes a strategy over them, or has it already.
        kept: strategies of which there is a structure on disk; "auto" takes those.
    """

    def __init__(
        self, docs: Docs, searcher: Callable[[Config], Strategy[Any]], kept: Collection[str] = frozenset()
    ) -> None:
        self._docs, self._searcher, self._kept = docs, searcher, kept
        self._paces: dict[tuple[str, type], Pace] = {}

    def plan(
        self,
        strategy: Mapping[str, Any] | Config | str,
        f: Relevance[Any],
        k: int,
        allowed: Tensor | None,
        budget: int | str | None,
    ) -> tuple[Config, int | None]:
        """The strategy as a configuration, and how many documents it may score for a query.

        A time is turned into documents by the pace of a strategy under functions of a class; it is measured with the
        first query of the first such search, which takes some searches' time, and then remembered.

        Args:
            strategy: "auto", a name or a configuration.
            f: the functions of Q queries.
            k: answers.
            allowed: (N,) bool, or None.
            budget: see :func:`hyperir.search.budget.parse_budget`.

        Raises:
            InputError: no budget, or one that is too small for the strategy.
        """
        granted = parse_budget(budget)
        count = self._docs.shape[0] if allowed is None else int(allowed.sum())
        if not isinstance(granted, Milliseconds):
            return (
                choose(f, count, granted, self._kept) if strategy == "auto" else STRATEGIES.parse(strategy)
            ), granted
        if not f.num_queries or not count:
            return STRATEGIES.parse("exact" if strategy == "auto" else strategy), None
        first = "inverted" if isinstance(f, SparseLinear) else "exact"
        config = STRATEGIES.parse(first if strategy == "auto" else strategy)
        documents = self._pace(config, f, k, allowed).documents(granted, config.model_dump()["type"])
        if strategy == "auto" and first == "exact" and documents < count:
            config = choose(f, count, documents, self._kept)
            documents = self._pace(config, f, k, allowed).documents(granted, config.model_dump()["type"])
        return config, documents

    def _pace(self, config: Config, f: Relevance[Any], k: int, allowed: Tensor | None) -> Pace:
        key = (config.model_dump_json(), type(f))
        if key not in self._paces:
            self._paces[key] = search_pace(self._searcher(config), f, k, self._docs, allowed)
        return self._paces[key]
