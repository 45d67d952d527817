"""Runs: what a searcher answers to the queries of a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from hyperir.core.progress import Progress

__all__ = ["Answer", "run_of"]

Answer: TypeAlias = Callable[[list[str], int], list[dict[str, float]]]  # texts, k -> id -> score in rank order, of each

BLOCK = 64  # queries searched at once, so that memory stays bounded


def run_of(
    queries: Mapping[str, str],
    answer: Callable[[list[str]], Iterable[dict[str, float]]],
    *,
    show_progress: bool = True,
) -> dict[str, dict[str, float]]:
    """A run, query id -> document id -> score in rank order, for `evaluate` and for TREC files.

    Args:
        queries: texts by query id.
        answer: texts -> for each, document id -> score in rank order.
        show_progress: show the bar.
    """
    run: dict[str, dict[str, float]] = {}
    ids = list(queries)
    with Progress("Searching", len(ids), "queries", show=show_progress) as bar:
        for start in range(0, len(ids), BLOCK):
            some = ids[start : start + BLOCK]
            run.update(zip(some, answer([queries[query] for query in some]), strict=True))
            bar.advance(len(some))
    return run
