"""How much a system loses when queries are typed with errors or in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hyperir.core.errors import InputError
from hyperir.evaluate.measures import Qrels, Run, Scores, evaluate
from hyperir.evaluate.report.text import columns, p_text
from hyperir.evaluate.systems import Comparisons, compare_systems
from hyperir.evaluate.variations import VARIATIONS, vary

__all__ = ["WRITTEN", "Robustness", "robustness"]

WRITTEN = "as written"


@dataclass(frozen=True)
class Robustness:
    """What each variation costs.

    Args:
        found: the variations compared with the queries as written.
        changed: variation -> share of the queries that it changed.
        seed: of the variations and the tests.
    """

    found: Comparisons
    changed: dict[str, float]
    seed: int

    def drop(self, measure: str, kind: str) -> float | None:
        """Percent lost of a mean; negative where it gained, None where there was nothing to lose."""
        means = {system.name: system.means[measure] for system in self.found.systems}
        return 100 * (means[WRITTEN] - means[kind]) / means[WRITTEN] if means[WRITTEN] else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: the comparison, and of every variation the share it changed."""
        return {"changed": self.changed, "seed": self.seed} | self.found.as_dict()

    def __str__(self) -> str:
        body = [[WRITTEN, "", *[f"{self.found.systems[0].means[m]:.4f}" for m in self.found.measures]]]
        for system in self.found.systems[1:]:
            cells = []
            for measure in self.found.measures:
                drop, pair = self.drop(measure, system.name), self.found.pair(measure, system.name, WRITTEN)
                lost = "" if drop is None else f" {0.0 - round(drop, 1):+.1f} %"
                p = "" if pair is None else f" p {p_text(pair.permutation_holm)}"
                cells.append(f"{system.means[measure]:.4f}{lost}{p}")
            body.append([system.name, f"{self.changed[system.name]:.0%}", *cells])
        table = columns(["queries", "changed", *self.found.measures, ""], [[*row, ""] for row in body])
        how = f"permutation test, Holm's correction over {len(self.found.pairs)} comparisons; seed {self.seed}"
        return f"{table}\np: {how}"


def robustness(
    qrels: Qrels,
    queries: dict[str, str],
    search: Callable[[dict[str, str]], Run],
    measures: Sequence[str],
    *,
    kinds: Sequence[str] = tuple(VARIATIONS),
    seed: int = 0,
    written: Scores | None = None,
) -> Robustness:
    """Search the queries as written and with each variation, and compare.

    Args:
        qrels: judgements.
        queries: texts by query id.
        search: texts by query id -> a run.
        measures: names of ir_measures.
        kinds: of VARIATIONS.
        seed: of the variations.
        written: measures of the queries as written, where they are known already.
    """
    if not kinds:
        raise InputError("which variations?", expected="one or more of " + ", ".join(VARIATIONS), got="none")
    varied = {kind: vary(queries, kind, seed=seed) for kind in kinds}
    scores = {WRITTEN: written or evaluate(qrels, search(queries), measures)}
    scores |= {kind: evaluate(qrels, search(texts), measures) for kind, texts in varied.items()}
    judged = list(scores[WRITTEN].by_query[measures[0]])
    changed = {
        kind: sum(texts.get(query) != queries.get(query) for query in judged) / len(judged)
        for kind, texts in varied.items()
    }
    return Robustness(compare_systems(scores, baseline=WRITTEN, seed=seed), changed, seed)
