"""Runs in, one run out: reciprocal rank fusion, and weighted sums of normalised scores."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from hyperir.core.errors import InputError, UnknownNameError

__all__ = ["METHODS", "NORMALISATIONS", "fuse"]

METHODS = ("rrf", "weighted")


def fuse(
    runs: Sequence[Mapping[str, Mapping[str, float]]],
    method: str = "rrf",
    *,
    weights: Sequence[float] | None = None,
    normalise: str = "minmax",
    rrf_k: float = 60,
    k: int | None = None,
) -> dict[str, dict[str, float]]:
    """Fuse runs into one, in rank order; equal scores keep the order in which the documents are first met.

    "rrf" sums weight / (rrf_k + rank), rank from 1, over the runs that have a document. "weighted" sums weight times
    normalised score; a document that a run does not have gets the run's lowest normalised score of that query, since
    the run ranks it below. A run without any answer to a query says nothing about it.

    Args:
        runs: query id -> document id -> score, each; ranks are by score, ties as given.
        method: one of METHODS.
        weights: one for each run, not negative; None weighs all 1.
        normalise: one of NORMALISATIONS, within each query of each run; "weighted" only.
        rrf_k: the larger, the less the first ranks stand out; "rrf" only.
        k: documents kept of each query; None keeps all.

    Raises:
        InputError: no runs, or weights, a method or a setting that cannot be.
    """
    if not runs:
        raise InputError("there are no runs to fuse", expected="one or more")
    if method not in METHODS:
        raise UnknownNameError("fusion", method, METHODS)
    if normalise not in NORMALISATIONS:
        raise UnknownNameError("normalisation", normalise, NORMALISATIONS)
    shares = [1.0] * len(runs) if weights is None else [float(weight) for weight in weights]
    if len(shares) != len(runs) or not all(0 <= share < float("inf") for share in shares) or not any(shares):
        raise InputError(
            "every run needs a weight", expected=f"{len(runs)} weights, none negative, not all 0", got=str(weights)
        )
    if not rrf_k > -1:
        raise InputError("rrf_k is added to ranks from 1", expected="more than -1", got=str(rrf_k))
    if k is not None and k < 1:
        raise InputError("k counts the documents kept", expected="k >= 1", got=f"k = {k}")
    fused = {}
    for query in dict.fromkeys(query for run in runs for query in run):
        answers = [(share, run[query]) for share, run in zip(shares, runs, strict=True) if run.get(query)]
        if method == "rrf":
            total = _reciprocal_ranks(answers, rrf_k)
        else:
            total = _weighted(answers, NORMALISATIONS[normalise])
        fused[query] = dict(sorted(total.items(), key=lambda item: -item[1])[:k])
    return fused


def _reciprocal_ranks(answers: Sequence[tuple[float, Mapping[str, float]]], rrf_k: float) -> dict[str, float]:
    total: dict[str, float] = {}
    for share, scores in answers:
        for rank, doc in enumerate(sorted(scores, key=lambda doc: -scores[doc]), 1):
            total[doc] = total.get(doc, 0.0) + share / (rrf_k + rank)
    return total


def _weighted(
    answers: Sequence[tuple[float, Mapping[str, float]]], normalised: Callable[[list[float]], list[float]]
) -> dict[str, float]:
    total = dict.fromkeys((doc for _, scores in answers for doc in scores), 0.0)
    for share, scores in answers:
        values = dict(zip(scores, normalised(list(scores.values())), strict=True))
        lowest = min(values.values())
        for doc in total:
            total[doc] += share * values.get(doc, lowest)
    return total


def _minmax(scores: list[float]) -> list[float]:
    """The best 1, the worst 0; all 1 where they are equal."""
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) for score in scores] if high > low else [1.0] * len(scores)


def _zscore(scores: list[float]) -> list[float]:
    """Mean 0, standard deviation 1; all 0 where they are equal."""
    mean, deviation = statistics.fmean(scores), statistics.pstdev(scores)
    return [(score - mean) / deviation for score in scores] if deviation else [0.0] * len(scores)


def _sum(scores: list[float]) -> list[float]:
    """The worst 0, all together 1."""
    low = min(scores)
    total = sum(score - low for score in scores)
    return [(score - low) / total for score in scores] if total else [1.0 / len(scores)] * len(scores)


def _none(scores: list[float]) -> list[float]:
    """As they are."""
    return scores


NORMALISATIONS: dict[str, Callable[[list[float]], list[float]]] = {
    "minmax": _minmax,
    "zscore": _zscore,
    "sum": _sum,
    "none": _none,
}
