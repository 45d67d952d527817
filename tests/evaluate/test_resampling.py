"""The permutation test and the bootstrap against scipy and enumeration; Holm's correction written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hyperir.evaluate import holm
from hyperir.evaluate.resampling import bootstrap_intervals, permutation_test

FEW = np.array([0.3, -0.1, 0.25, 0.4, 0.0, 0.1, -0.05, 0.2])


def draws(seed=0):
    return np.random.default_rng(seed)


def permuted(values):
    return permutation_test(np.array(values, dtype=float)[:, None], generator=draws())[0]


def test_few_queries_are_permuted_exactly_as_by_scipy():
    theirs = stats.permutation_test(
        (FEW, np.zeros_like(FEW)), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", vectorized=True
    )
    assert permuted(FEW) == pytest.approx(theirs.pvalue)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=7))
def test_exact_values_are_those_of_enumeration(values):
    """Whole numbers, so that sums tie exactly."""
    sums = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    assert permuted(values) == pytest.approx(np.mean([total >= abs(sum(values)) for total in sums]))


def test_sums_that_differ_by_rounding_count_as_equal():
    assert permuted([0.1, 0.2, 0.3]) == 2 / 8
    assert permuted([0.3, 0.2, 0.1, -0.6]) == 1


def test_many_queries_are_sampled_and_near_the_normal_limit():
    some = draws(1).normal(0.1, 1, (400, 3))
    found = permutation_test(some, rounds=20_000, generator=draws())
    expected = [2 * stats.norm.sf(abs(x.sum()) / np.sqrt((x**2).sum())) for x in some.T]
    assert found == pytest.approx(expected, abs=0.01)
    assert permutation_test(some + 5, rounds=99, generator=draws()).tolist() == [1 / 100] * 3, "never zero"
    again = permutation_test(some, rounds=20_000, generator=draws())
    assert (found == again).all()


def test_no_difference_is_no_evidence():
    assert permuted([0, 0, 0]) == 1
    assert permutation_test(np.zeros((500, 1)), generator=draws())[0] == 1


def test_the_bootstrap_is_near_its_exact_distribution():
    values = np.array([0.0, 1.0, 5.0, 2.0, 2.5])
    means = [np.mean(sample) for sample in itertools.product(values, repeat=5)]
    found = bootstrap_intervals(values[:, None], rounds=40_000, level=0.9, generator=draws())[0]
    assert found == pytest.approx(np.quantile(means, [0.05, 0.95]), abs=0.11)  # means lie 0.1 apart


def test_the_bootstrap_is_near_scipys():
    values = draws(2).random((300, 2))
    found = bootstrap_intervals(values, generator=draws())
    for column, (low, high) in zip(values.T, found, strict=True):
        theirs = stats.bootstrap((column,), np.mean, method="percentile", rng=draws(3)).confidence_interval
        assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


def test_holm_written_out():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.99))
def test_holm_rejects_what_the_step_down_procedure_rejects(ps, alpha):
    rejected = 0
    for place, p in enumerate(sorted(ps)):
        if (len(ps) - place) * p > alpha:
            break
        rejected += 1
    assert sum(p <= alpha for p in holm(ps)) == rejected
