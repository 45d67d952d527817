"""The approximate search of the Hypencoder paper (SIGIR 2025): rounds of a fixed kind from many random documents."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.types import Docs, Hits, Relevance
from hyperir.index.strategies.visits import Ranked, Visits
from hyperir.index.topk import best

__all__ = ["HypencoderConfig", "fixed_rounds"]


class HypencoderConfig(Config):
    """Parameters of the paper's search; those here are its "efficient 1", and 100,000, 328 and 20 its "efficient 2".

    Args:
        starts: |C0|, random documents, the same for every query. All of them count as visited from then on, but only
            the best `candidates` are followed, so that more of them can find less.
        candidates: nCandidates, documents offered and expanded a round.
        iterations: at most.
        early_stop: whether a query may be done before.
        follow: where the paper and the code released with it differ. "paper" offers the best `candidates` of a round
            to the answers, and stops a query whose best candidate scores below its worst answer, once it has k.
            "code" offers the best max(candidates, k), and stops a query of which nothing entered the answers.
        degree: neighbours a document. The released code counts the document itself as one of them, here it is none.
    """

    starts: int = 10_000
    candidates: int = 64
    iterations: int = 16
    early_stop: bool = True
    follow: Literal["paper", "code"] = "paper"
    degree: int = 100

    def check(self) -> None:
        """Raise InputError for a number below 1."""
        for name in ("starts", "candidates", "iterations", "degree"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} of the preset is at least 1", got=f"{name} = {getattr(self, name)}")


def fixed_rounds(
    f: Relevance[Any],
    docs: Docs,
    neighbours: Tensor,
    starts: Tensor,
    k: int,
    allowed: Tensor | None,
    config: HypencoderConfig,
    budget: int | None = None,
) -> Hits:
    """The algorithm, for all queries at once.

    A filter forbids answers, not steps: documents that may not come back are scored and expanded as the others. A
    budget, which the paper does not know, may leave out some of C0 and end a query before its time.

    Args:
        f: the relevance function of Q queries.
        docs: (N,) of `Dense`.
        neighbours: (N, degree) int32, -1 for none.
        starts: C0, ascending.
        k: answers.
        allowed: (N,) bool, True where a row may come back.
        config: see :class:`HypencoderConfig`.
        budget: documents scored for a query at most, or None.
    """
    paper = config.follow == "paper"
    visits, answers = Visits(f, docs, budget=budget), Ranked(f.num_queries, k)
    offered = config.candidates if paper else max(config.candidates, k)
    rows, scores = visits.score_shared(starts)
    for iteration in range(config.iterations):
        scores, rows = best(scores, rows, offered)
        if config.early_stop and paper:
            rows = rows.masked_fill(scores[:, :1] < answers.scores[:, -1:], -1)
        entering = rows if allowed is None else rows.masked_fill(~allowed[rows.clamp_min(0)], -1)
        before = answers.rows
        answers.offer(entering, scores)
        if config.early_stop and not paper:
            rows = rows.masked_fill((answers.rows == before).all(1, keepdim=True), -1)
        if iteration + 1 == config.iterations:
            break
        followed = rows[:, : config.candidates]
        found = neighbours[followed.clamp_min(0)].long().masked_fill(followed[..., None] < 0, -1)
        rows = visits.fresh(found.flatten(1))
        if not rows.shape[1]:
            break
        scores = visits.score(rows)
    return answers.hits(k, visits.scored)
