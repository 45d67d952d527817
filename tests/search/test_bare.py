"""A bare model searched many times: the same answers as in one run, and honest costs."""

import pytest
from test_memory import QUERIES, ROWS, Rows
from tiny_models import HYPER, make_model

from hyperir.core.errors import ConfigError, InputError
from hyperir.search.bare import Bare, check_strategy
from hyperir.search.memory import run_in_memory


@pytest.fixture(scope="module")
def model():
    return make_model(HYPER)


def test_a_model_is_encoded_once_and_searched_by_several_strategies(model):
    rows = Rows(ROWS)
    bare = Bare(model, rows, show_progress=False)
    run, cost = bare.run(QUERIES, 5)
    assert run == run_in_memory(model, Rows(ROWS), QUERIES, 5, show_progress=False)
    assert (cost.documents, cost.index_bytes, cost.scored) == (12, 12 * model.width * 4, 12)
    assert cost.query_ms > 0
    assert cost.build_seconds > 0
    some, cheap = bare.run(QUERIES, 5, strategy={"type": "ivf", "cells": 4, "probes": 1})
    assert set(some) == set(QUERIES)
    assert 0 < cheap.scored < 4 + 12
    assert bare.run({}, 5)[0] == {}


def test_bm25_counts_the_documents_that_share_a_word():
    bare = Bare("bm25", Rows(ROWS), show_progress=False)
    run, cost = bare.run(QUERIES, 12)
    other = run_in_memory("bm25", Rows(ROWS), QUERIES, 12, show_progress=False)  # by HyperIR's own inverted lists
    assert run.keys() == other.keys()
    assert all(found == pytest.approx(other[query], abs=1e-4) for query, found in run.items())
    assert cost.scored == pytest.approx(sum(map(len, run.values())) / len(run))
    assert cost.index_bytes > 0
    with pytest.raises(InputError, match="its own inverted index"):
        bare.run(QUERIES, strategy="ivf")


def test_strategies_are_checked_before_work():
    check_strategy("m", {"type": "ivf"})
    with pytest.raises(InputError, match="did you mean 'exact'"):
        check_strategy("m", "exat")
    with pytest.raises(ConfigError, match="probs"):
        check_strategy("m", {"type": "ivf", "probs": 3})
    with pytest.raises(InputError, match="system 'a'"):
        check_strategy("bm25", "ivf", where="system 'a'")
