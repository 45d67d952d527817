"""Holm's correction of p-values for the number of comparisons."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given.

    Of m values the smallest is multiplied by m, the next by m - 1, and so on; none falls below one before it, none
    exceeds 1. Calling those at most alpha significant keeps the chance of any false one within alpha, whether or not
    the comparisons depend on each other.
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for place, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[at]))
        adjusted[at] = least
    return adjusted
