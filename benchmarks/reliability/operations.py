"""Bar 8: random operations against a dictionary: the suite's own test, for longer."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from reliability.result import Result

TESTS = Path(__file__).resolve().parents[2] / "tests" / "index"
STEPS = 25  # operations on one index


def operations(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Run operations until there were `count`. Hypothesis chooses them."""
    result = Result(8, "random operations that an index and a dictionary disagree on")
    sys.path.insert(0, str(TESTS))
    try:
        from test_operations import Operations
    finally:
        sys.path.remove(str(TESTS))

    class Counted(Operations):
        @invariant()
        def counted(self):
            result.count += 1

    chosen = settings(
        max_examples=max(2, count // STEPS),
        stateful_step_count=min(STEPS, count),
        deadline=None,
        database=None,
        phases=[Phase.generate],  # the suite's test looks for the smallest that fail
        suppress_health_check=list(HealthCheck),
    )
    try:
        while result.count < count:
            run_state_machine_as_test(Counted, settings=chosen)
    except Exception as wrong:
        result.failures.append(f"{type(wrong).__name__}: {wrong}")
    return [result]
