"""Best-first search over a graph of documents: the best that are known are expanded, all queries at once.

The idea is that of SL2G and BFSG (Tan et al., WSDM 2020): edges by distance between documents, ranking by any f.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from hyperir.core.types import Hits
from hyperir.index.strategies.visits import Ranked, Visits

__all__ = ["walk"]


def walk(
    visits: Visits,
    start: tuple[Tensor, Tensor],
    expand: Callable[[Tensor], Tensor],
    k: int,
    *,
    ef: int,
    beam: int,
    rounds: int | None,
    allowed: Tensor | None,
) -> Hits:
    """Expand the best known documents until the best `ef` answers are all expanded, or the budget is spent.

    Where a filter forbids documents the walk leads through them all the same: they are scored and expanded as long as
    they rank among the best `ef` answers known, but are no answers themselves. So a filter that few pass makes the walk
    longer, and not its end come before answers are found.

    Args:
        visits: the queries, and what is known of them.
        start: rows and scores, (Q, n), of documents visited already.
        expand: (Q, b) rows, -1 for none -> (Q, m) rows to score next, -1 for none; they may repeat or be visited.
        k: answers; `ef` is at least that.
        ef: how many of the best answers are kept, and how many documents wait to be expanded at most.
        beam: documents of a query expanded in a round.
        rounds: at most; None goes on until every query is done.
        allowed: (N,) bool, True where a row may come back.
    """
    queries, ef = visits.f.num_queries, max(ef, k)
    answers, waiting = Ranked(queries, ef), Ranked(queries, ef)
    rows, scores = start
    done = 0
    while True:
        waiting.offer(rows, scores)
        answers.offer(rows if allowed is None else rows.masked_fill(~allowed[rows.clamp_min(0)], -1), scores)
        if done == rounds:
            break
        chosen = _worth(waiting, answers) & visits.solvent()[:, None]
        chosen[:, beam:] = False
        picked = waiting.rows.masked_fill(~chosen, -1)[:, :beam]
        if not chosen.any():
            break
        waiting.drop(chosen)
        rows = visits.fresh(expand(picked))
        scores = visits.score(rows)
        done += 1
    return answers.hits(k, visits.scored)


def _worth(waiting: Ranked, answers: Ranked) -> Tensor:
    """(Q, ef) bool: which of those waiting would be among the best answers, were they allowed."""
    last, lowest = answers.rows[:, -1:], answers.scores[:, -1:]
    tied = (waiting.scores == lowest) & (waiting.rows <= last)
    return (waiting.rows >= 0) & ((last < 0) | (waiting.scores > lowest) | tied)
