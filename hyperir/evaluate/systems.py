"""Several systems on the same queries: every comparison tested, corrected for their number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hyperir.core.errors import InputError, nearest
from hyperir.evaluate.compare import check_same_queries, compare
from hyperir.evaluate.holm import holm
from hyperir.evaluate.measures import Scores
from hyperir.evaluate.resampling import bootstrap_intervals, permutation_test

__all__ = ["Comparisons", "Hard", "Pair", "System", "compare_systems"]


@dataclass(frozen=True)
class System:
    """One system's means.

    Args:
        name: as given.
        means: measure -> mean.
        intervals: measure -> low and high of the mean's bootstrap interval.
        unjudged: mean share of the top 10 that nobody judged.
        missing: judged queries without an answer.
    """

    name: str
    means: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    unjudged: float
    missing: int


@dataclass(frozen=True)
class Pair:
    """System a against system b on one measure.

    Args:
        measure, a, b: names.
        difference: mean of a minus mean of b.
        interval: low and high of the difference's bootstrap interval.
        effect: the mean difference in standard deviations of the differences (Cohen's d); None where they do not vary.
        t_p, permutation_p: two-sided p-values.
        t_holm, permutation_holm: the same, corrected for all comparisons made.
        wins, ties, losses: queries on which a is better, equal, worse.
    """

    measure: str
    a: str
    b: str
    difference: float
    interval: tuple[float, float]
    effect: float | None
    t_p: float
    t_holm: float
    permutation_p: float
    permutation_holm: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Hard:
    """A query, and what each system made of it."""

    query: str
    values: dict[str, float]  # system -> value


@dataclass(frozen=True)
class Comparisons:
    """All that was measured and tested.

    Args:
        systems: in the order given.
        pairs: every comparison: measures within pairs of systems.
        baseline: what all others were compared with; None where all pairs were.
        queries: how many.
        level: of the intervals; alpha of the tests is 1 - level.
        rounds, seed: of the permutation test and the bootstrap, as they were done.
        by_query: measure -> system -> query id -> value.
    """

    systems: list[System]
    pairs: list[Pair]
    measures: tuple[str, ...]
    baseline: str | None
    queries: int
    level: float
    rounds: int
    seed: int
    by_query: dict[str, dict[str, dict[str, float]]]

    def significant(self, pair: Pair) -> bool:
        """Whether both tests, corrected, call the pair different."""
        return max(pair.t_holm, pair.permutation_holm) <= 1 - self.level

    def pair(self, measure: str, a: str, b: str) -> Pair | None:
        """The comparison of two systems, if it was made in this direction."""
        return next((p for p in self.pairs if (p.measure, p.a, p.b) == (measure, a, b)), None)

    def best(self, measure: str) -> set[str]:
        """The systems with the highest mean, to four decimals as tables print them."""
        top = max(round(system.means[measure], 4) for system in self.systems)
        return {system.name for system in self.systems if round(system.means[measure], 4) == top}

    def differences(self, pair: Pair) -> dict[str, float]:
        """Query id -> a minus b, the largest first."""
        a, b = self.by_query[pair.measure][pair.a], self.by_query[pair.measure][pair.b]
        return dict(sorted(((query, a[query] - b[query]) for query in a), key=lambda item: -item[1]))

    def hardest(self, measure: str, n: int = 10) -> list[Hard]:
        """The n queries on which the systems do worst on average, the worst first."""
        table = self.by_query[measure]
        rows = [
            Hard(query, {name: values[query] for name, values in table.items()}) for query in next(iter(table.values()))
        ]
        return sorted(rows, key=lambda row: sum(row.values.values()))[:n]

    def as_dict(self, *, by_query: bool = False) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self)
        if not by_query:
            del values["by_query"]
        return values


def compare_systems(
    scores: Mapping[str, Scores],
    *,
    baseline: str | None = None,
    level: float = 0.95,
    rounds: int = 10_000,
    seed: int = 0,
) -> Comparisons:
    """Compare systems by the paired t-test and the paired permutation test, each under Holm's correction.

    Args:
        scores: system -> what `evaluate` gave, all for the same judgements and measures.
        baseline: compare every other system with this one; None compares all pairs.
        level: of confidence.
        rounds: draws of the permutation test and of the bootstrap, at least; more where many comparisons need them.
        seed: of both.

    Raises:
        InputError: fewer than two systems, other measures or queries, or a baseline that is none of them.
    """
    import numpy as np

    names = list(scores)
    if len(names) < 2:
        raise InputError("a comparison needs two systems", expected="2 or more", got=", ".join(names) or "none")
    if baseline is not None and baseline not in scores:
        raise InputError(
            f"the baseline {baseline!r} is none of the systems",
            expected="one of " + ", ".join(names),
            fix=nearest(baseline, names),
        )
    if not 0 < level < 1 or rounds < 1:
        raise InputError("bad settings", expected="0 < level < 1 and rounds >= 1", got=f"{level} and {rounds}")
    measures = next(iter(scores.values())).measures
    for name, one in scores.items():
        if one.measures != measures:
            raise InputError(f"{name!r} was measured by other measures", expected=str(measures), got=str(one.measures))
        check_same_queries(scores[names[0]].by_query[measures[0]], one.by_query[measures[0]])
    queries = list(scores[names[0]].by_query[measures[0]])
    values = {
        (name, measure): np.array([one.by_query[measure][query] for query in queries])
        for name, one in scores.items()
        for measure in measures
    }
    pairs = _pairs(names, baseline)
    compared = [(measure, a, b) for a, b in pairs for measure in measures]
    differences = np.stack([values[a, measure] - values[b, measure] for measure, a, b in compared], axis=1)
    # The smallest p-value that rounds can give, 1 / rounds, must stay clearly below alpha after the correction.
    rounds = max(rounds, math.ceil(20 * len(compared) / (1 - level)))
    generator = np.random.default_rng(seed)
    by_permutation = permutation_test(differences, rounds=rounds, generator=generator).tolist()
    everything = np.concatenate([differences, np.stack(list(values.values()), axis=1)], axis=1)
    intervals = bootstrap_intervals(everything, level=level, rounds=rounds, generator=generator).tolist()
    plain = [compare(scores[a].by_query[measure], scores[b].by_query[measure]) for measure, a, b in compared]
    tested = zip(compared, plain, holm([p.p for p in plain]), by_permutation, holm(by_permutation), strict=True)
    of_means = dict(zip(values, intervals[len(compared) :], strict=True))
    return Comparisons(
        systems=[
            System(
                name,
                one.means(),
                {measure: (of_means[name, measure][0], of_means[name, measure][1]) for measure in measures},
                one.unjudged,
                one.missing,
            )
            for name, one in scores.items()
        ],
        pairs=[
            Pair(
                *which,
                difference=found.difference,
                interval=(intervals[at][0], intervals[at][1]),
                effect=_effect(differences[:, at].tolist()),
                t_p=found.p,
                t_holm=corrected,
                permutation_p=p,
                permutation_holm=p_corrected,
                wins=found.wins,
                ties=found.ties,
                losses=found.losses,
            )
            for at, (which, found, corrected, p, p_corrected) in enumerate(tested)
        ],
        measures=measures,
        baseline=baseline,
        queries=len(queries),
        level=level,
        rounds=rounds,
        seed=seed,
        by_query={m: {name: one.by_query[m] for name, one in scores.items()} for m in measures},
    )


def _pairs(names: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    """(a, b): what is compared with what; in all pairs the later one against the earlier."""
    if baseline is not None:
        return [(name, baseline) for name in names if name != baseline]
    return [(b, a) for a, b in itertools.combinations(names, 2)]


def _effect(differences: Sequence[float]) -> float | None:
    n = len(differences)
    mean = sum(differences) / n
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1)) if n > 1 else 0.0
    return mean / deviation if deviation else None
