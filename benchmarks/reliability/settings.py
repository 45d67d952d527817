"""The module constants that `model.settle` changes, and their old values afterwards."""

from contextlib import contextmanager

from hyperir.index import merge, pending, retention


@contextmanager
def restored():
    before = merge.FANOUT, retention.RETAIN, pending.BUFFER
    try:
        yield
    finally:
        merge.FANOUT, retention.RETAIN, pending.BUFFER = before
