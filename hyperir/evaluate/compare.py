"""Two systems on the same queries: the paired t-test and who won where."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hyperir.core.errors import InputError

__all__ = ["Comparison", "check_same_queries", "compare", "paired_t_test"]


@dataclass(frozen=True)
class Comparison:
    """System a against system b on one measure.

    Args:
        difference: mean of a minus mean of b.
        p: two-sided p-value of the paired t-test; 1 where the systems do not differ on any query.
        wins, ties, losses: queries on which a is better, equal, worse.
    """

    difference: float
    p: float
    wins: int
    ties: int
    losses: int


def compare(a: Mapping[str, float], b: Mapping[str, float]) -> Comparison:
    """Compare values per query, for example `scores_a.by_query["nDCG@10"]` with `scores_b.by_query["nDCG@10"]`.

    Raises:
        InputError: the two are not about the same queries.
    """
    check_same_queries(a, b)
    differences = [a[query] - b[query] for query in a]
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    mean = sum(differences) / len(differences) if differences else 0.0
    return Comparison(mean, paired_t_test(differences), wins, len(differences) - wins - losses, losses)


def check_same_queries(a: Mapping[str, float], b: Mapping[str, float]) -> None:
    """Raise InputError unless both have a value for the same queries."""
    if a.keys() != b.keys():
        odd = sorted(a.keys() ^ b.keys())
        raise InputError(
            "the two systems were measured on different queries",
            expected=f"the same queries on both sides ({len(a)} and {len(b)})",
            got=f"{len(odd)} on one side only, for example {odd[0]!r}",
        )


def paired_t_test(differences: Sequence[float]) -> float:
    """The two-sided p-value of the paired t-test; 1 where nothing differs, 0 where every query differs by the same."""
    from scipy import special

    n = len(differences)
    if n < 2 or not any(differences):
        return 1.0
    mean = sum(differences) / n
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / (n - 1))
    if deviation == 0:
        return 0.0
    # Student's t with n - 1 degrees of freedom, both tails; scipy.stats would take over a second to import.
    return float(2 * special.stdtr(n - 1, -abs(mean) / (deviation / math.sqrt(n))))
