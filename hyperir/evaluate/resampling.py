"""Significance and intervals by resampling queries: the paired permutation test and the bootstrap.

Many comparisons over the same n queries share their random draws: one draw is a row of signs or of counts, and one
matrix product applies it to all comparisons. Memory holds some draws at a time, whatever n and their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["bootstrap_intervals", "permutation_test"]

EXACT = 16  # up to so many queries that differ, all 2^n assignments of signs are tried
BLOCK = 1 << 20  # numbers drawn together


def permutation_test(
    differences: NDArray[np.float64], *, rounds: int = 10_000, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Two-sided p-values of the paired permutation test, also called Fisher's randomisation test.

    If two systems were the same, each query's difference could as well have the other sign. p is the share of sign
    assignments whose mean difference is at least as large as the one seen. With at most 16 queries that differ it is
    exact; else `rounds` assignments are drawn, and the one seen counts as one more, so that p is never 0.

    Args:
        differences: (n, C), a column for each comparison.
        rounds: how many assignments are drawn.
        generator: draws them.

    Returns:
        (C,); 1 where nothing differs.
    """
    import numpy as np

    n, columns = differences.shape
    seen = np.abs(differences.sum(0))
    # Sums of the same numbers in another order differ in their last bits; they count as equal.
    bar = seen - 1e-12 * np.abs(differences).sum(0)
    p = np.ones(columns)
    small = (differences != 0).sum(0) <= EXACT
    for column in np.flatnonzero(small):
        some = differences[differences[:, column] != 0, column]
        signs = 1.0 - 2.0 * ((np.arange(1 << len(some))[:, None] >> np.arange(len(some))) & 1)
        p[column] = np.mean(np.abs(signs @ some) >= bar[column])
    large = np.flatnonzero(~small)
    if len(large):
        reached = np.zeros(len(large))
        for size in _blocks(rounds, n):
            signs = generator.integers(2, size=(size, n), dtype=np.int8) * 2.0 - 1.0
            reached += (np.abs(signs @ differences[:, large]) >= bar[large]).sum(0)
        p[large] = (reached + 1) / (rounds + 1)
    return p


def bootstrap_intervals(
    values: NDArray[np.float64], *, level: float = 0.95, rounds: int = 10_000, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Confidence intervals of means, by the percentile bootstrap over queries.

    Args:
        values: (n, C), a column for each mean; of a comparison, its differences.
        level: of confidence.
        rounds: how many samples of n queries are drawn, with replacement.
        generator: draws them.

    Returns:
        (C, 2): low and high.
    """
    import numpy as np

    n, columns = values.shape
    means = np.empty((rounds, columns))
    done = 0
    for size in _blocks(rounds, n):
        drawn = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means[done : done + size] = counts @ values / n
        done += size
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0).T


def _blocks(rounds: int, n: int) -> Iterator[int]:
    size = max(1, BLOCK // max(n, 1))
    for start in range(0, rounds, size):
        yield min(size, rounds - start)
