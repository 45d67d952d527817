"""Ctrl-C put off: to the end of a block, once, and nowhere else."""

import signal
import threading

import pytest

from hyperir.core.interrupts import uninterrupted


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as Python handles it, also where the tests themselves run in the background."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, old)


@uninterrupted()
def work(seen, interrupts, error=None):
    for _ in range(interrupts):
        signal.raise_signal(signal.SIGINT)
        seen.append("went on")
    if error is not None:
        raise error


@pytest.mark.parametrize(("interrupts", "expected"), [(1, ["went on"]), (2, ["went on"])])
def test_a_ctrl_c_waits_for_the_end_of_the_block_and_a_second_does_not(interrupts, expected):
    seen = []
    with pytest.raises(KeyboardInterrupt):
        work(seen, interrupts)
    assert seen == expected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_block_goes_before_a_ctrl_c():
    with pytest.raises(ValueError, match="mine"):
        work([], 1, ValueError("mine"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_uninterrupted_leaves_other_handlers_and_threads_alone():
    seen = []
    old = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert seen == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, old)

    def other():
        with uninterrupted():
            seen.append("done")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen[-1] == "done"
