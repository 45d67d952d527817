"""Measures of a run against judgements.

Two systems that differ in nothing but ties must not differ in any measure, and tools break ties in opposite ways, even
within one call. So a run is put in one order first, score descending and equal scores as given, and evaluated by rank.
Queries are measured in blocks: beside the run itself, memory holds one block's ranks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hyperir.core.errors import InputError
from hyperir.evaluate.names import check_measures, parse_measure

__all__ = ["DEFAULT_MEASURES", "Qrels", "Run", "Scores", "check_measures", "evaluate", "ranked"]

Qrels = Mapping[str, Mapping[str, int]]  # query id -> document id -> grade
Run = Mapping[str, Mapping[str, float]]  # query id -> document id -> score
DEFAULT_MEASURES = ("nDCG@10", "RR@10", "R@100")
BLOCK = 256  # queries measured together


@dataclass(frozen=True)
class Scores:
    """What a run is worth.

    Args:
        measures: names, as asked for.
        by_query: measure -> query id -> value, for every judged query in the judgements' order.
        unjudged: mean share of the top 10 that nobody judged, 0 to 1; 1 less Judged@10 over the answered queries.
        missing: judged queries for which the run has no answer; they count as 0.
    """

    measures: tuple[str, ...]
    by_query: dict[str, dict[str, float]]
    unjudged: float
    missing: int

    def mean(self, measure: str) -> float:
        """The mean over all judged queries; of counts (NumQ, NumRel, NumRet) the sum, as ir_measures has it."""
        total = parse_measure(measure).aggregator()
        for value in self.by_query[measure].values():
            total.add(value)
        return float(total.result())

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
    parsed = {name: parse_measure(name) for name in measures}
    judged = {query: dict(grades) for query, grades in qrels.items() if any(g > 0 for g in grades.values())}
    if not judged:
        raise InputError("there is nothing to measure against", expected="judgements with a grade above 0")
    answered = [query for query in judged if run.get(query)]
    if run and not answered and not any(query in judged for query in run):
        raise InputError(
            "the run answers none of the judged queries",
            expected=f"query ids like {next(iter(judged))!r}",
            got=f"query ids like {next(iter(run))!r}",
            fix="check that run and judgements belong to the same collection",
        )
    names: dict[Any, list[str]] = {}  # "RR@10" and "RR(rel=1)@10" are one measure
    for name, measure in parsed.items():
        names.setdefault(measure, []).append(name)
    by_query = {name: dict.fromkeys(judged, float(measure.DEFAULT)) for name, measure in parsed.items()}
    unjudged = 0.0
    for start in range(0, len(answered), BLOCK):
        block = {query: judged[query] for query in answered[start : start + BLOCK]}
        by_rank = {query: _by_rank(run[query]) for query in block}
        for measure, query, value in _values(list(names), block, by_rank):
            for name in names[measure]:
                by_query[name][query] = value
        for query, places in by_rank.items():
            top = list(itertools.islice(places, 10))
            unjudged += sum(doc not in block[query] for doc in top) / len(top)
    return Scores(tuple(measures), by_query, unjudged / max(len(answered), 1), len(judged) - len(answered))


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Document ids by score, descending; equal scores stay in the order given."""
    return sorted(scores, key=lambda doc: -scores[doc])


def _by_rank(scores: Mapping[str, float]) -> dict[str, float]:
    """The same ranking in rank order, with scores that fall strictly, also in the single precision of trec_eval.

    Most runs are that already and pass unchanged, which is where the time would go.
    """
    import numpy as np

    with np.errstate(over="ignore"):
        values = np.fromiter(scores.values(), np.float64, len(scores)).astype(np.float32)
    if isinstance(scores, dict) and np.isfinite(values[[0, -1]]).all() and bool((values[1:] < values[:-1]).all()):
        return scores
    return {doc: float(-place) for place, doc in enumerate(ranked(scores))}


def _values(
    measures: list[Any], judged: dict[str, dict[str, int]], run: dict[str, dict[str, float]]
) -> Iterator[tuple[Any, str, float]]:
    """(measure, query id, value) of every query of a block."""
    import ir_measures

    plain = [measure for measure in measures if not _is_gdevals(measure)]
    if plain:
        for value in ir_measures.iter_calc(plain, judged, run):
            yield value.measure, value.query_id, value.value
    others = [measure for measure in measures if _is_gdevals(measure)]
    if others:
        # gdeval reads files in which queries are numbers and ids have no spaces in them.
        queries = {str(number): query for number, query in enumerate(judged, 1)}
        docs: dict[str, str] = {}
        numbered = [
            {
                n: {docs.setdefault(doc, str(len(docs))): value for doc, value in table[query].items()}
                for n, query in pairs
            }
            for table, pairs in ((judged, queries.items()), (run, queries.items()))
        ]
        for value in ir_measures.iter_calc(others, *numbered):
            if value.query_id in queries:  # gdeval also lists the mean
                yield value.measure, queries[value.query_id], value.value


def _is_gdevals(measure: Any) -> bool:
    import ir_measures

    return bool(ir_measures.gdeval.supports(measure) and not ir_measures.pytrec_eval.supports(measure))
