"""Measures of a run against judgements.

Two systems that differ in nothing but ties must not differ in any measure, and tools break ties in opposite ways, even
within one call. So a run is put in one order first, score descending and equal scores as given, and evaluated by rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperir.core.errors import InputError, nearest

__all__ = ["DEFAULT_MEASURES", "Qrels", "Run", "Scores", "check_measures", "evaluate", "ranked"]

Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> grade
Run = Mapping[str, Mapping[str, float]]  # query id -> document id -> score
DEFAULT_MEASURES = ("nDCG@10", "RR@10", "R@100")


@dataclass(frozen=True)
class Scores:
    """What a run is worth.

    Args:
        measures: names, as asked for.
        by_query: measure -> query id -> value, for every judged query in the judgements' order.
        unjudged: mean share of the top 10 that nobody judged, 0 to 1.
        missing: judged queries for which the run has no answer; they count as 0.
    """

    measures: tuple[str, ...]
    by_query: dict[str, dict[str, float]]
    unjudged: float
    missing: int

    def mean(self, measure: str) -> float:
        """The mean over all judged queries."""
        values = self.by_query[measure].values()
        return sum(values) / len(values)

    def means(self) -> dict[str, float]:
        """Measure -> mean."""
        return {measure: self.mean(measure) for measure in self.measures}


def evaluate(qrels: Qrels, run: Run, measures: Sequence[str] = DEFAULT_MEASURES) -> Scores:
    """Measure a run.

    Args:
        qrels: query id -> document id -> grade; queries without a positive grade are left out, as trec_eval does.
        run: query id -> document id -> score.
        measures: names of ir_measures, for example "nDCG@10", "RR@10", "R@100", "AP(rel=2)". Where grades go above 1,
            say from which grade a document counts as relevant in RR, AP, P and R: "RR(rel=2)@10".

    Raises:
        InputError: an unknown measure, no judged query, or a run about other queries.
    """
    import ir_measures

    parsed = {name: _parse(name) for name in measures}
    judged = {query: dict(grades) for query, grades in qrels.items() if any(g > 0 for g in grades.values())}
    if not judged:
        raise InputError("there is nothing to measure against", expected="judgements with a grade above 0")
    answered = [query for query in judged if run.get(query)]
    if run and not answered:
        raise InputError(
            "the run answers none of the judged queries",
            expected=f"query ids like {next(iter(judged))!r}",
            got=f"query ids like {next(iter(run))!r}",
            fix="check that run and judgements belong to the same collection",
        )
    order = {query: ranked(run[query]) for query in answered}
    by_rank = {query: {doc: float(len(docs) - i) for i, doc in enumerate(docs)} for query, docs in order.items()}
    by_query: dict[str, dict[str, float]] = {name: dict.fromkeys(judged, 0.0) for name in measures}
    names = {measure: name for name, measure in parsed.items()}
    for value in ir_measures.iter_calc(list(parsed.values()), judged, by_rank):
        by_query[names[value.measure]][value.query_id] = value.value
    tops = [docs[:10] for docs in order.values()]
    unjudged = [sum(doc not in judged[query] for doc in top) / len(top) for query, top in zip(order, tops, strict=True)]
    return Scores(
        tuple(measures), by_query, sum(unjudged) / len(unjudged) if unjudged else 0.0, len(judged) - len(answered)
    )


def check_measures(measures: Sequence[str]) -> None:
    """Raise InputError unless every name is a measure: before work whose result is to be measured."""
    for name in measures:
        _parse(name)


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Document ids by score, descending; equal scores stay in the order given."""
    return sorted(scores, key=lambda doc: -scores[doc])


def _parse(name: str) -> Any:
    import ir_measures

    try:
        return ir_measures.parse_measure(name)
    except (ValueError, NameError, SyntaxError, KeyError) as error:
        known = sorted(ir_measures.measures.registry)
        stem = name.split("@")[0].split("(")[0]
        raise InputError(
            f"there is no measure {name!r}",
            expected="a measure of ir_measures such as nDCG@10, RR@10, R@100, AP, P@10, RR(rel=2)@10",
            got=str(error),
            fix=nearest(stem, known),
        ) from None
