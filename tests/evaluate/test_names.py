"""Names of measures: thresholds, and which measures can be computed."""

import pytest

from hyperir.core.errors import InputError
from hyperir.evaluate import at_threshold, check_measures, evaluate, threshold_note
from hyperir.evaluate.names import relevant_from

QRELS = {"q1": {"a": 3, "b": 1, "x": 0}, "q2": {"c": 1}, "q3": {"z": 0}}
RUN = {"q1": {"b": 3.0, "a": 2.0}, "q2": {"c": 1.0}}


def test_a_threshold_goes_to_measures_that_take_one():
    names = ["nDCG@10", "RR@10", "RR(rel=3)@10", "AP", "Judged@10", "NumRet"]
    assert at_threshold(names, 2) == (
        "nDCG@10",
        "RR(rel=2)@10",
        "RR(rel=3)@10",
        "AP(rel=2)",
        "Judged@10",
        "NumRet",
    )
    assert at_threshold(["RR@10"], 1) == ("RR@10",)
    values = evaluate(QRELS, RUN, at_threshold(["RR@10"], 2)).by_query["RR(rel=2)@10"]
    assert values == {"q1": 0.5, "q2": 0}, "b has grade 1 only"
    with pytest.raises(InputError, match="first relevant grade"):
        at_threshold(["RR@10"], 0)


def test_what_counts_as_relevant_is_said():
    assert [relevant_from(name) for name in ("RR@10", "P(rel=2)@5", "nDCG@10", "NumRet")] == [1, 2, None, None]
    note = threshold_note(["nDCG@10", "RR@10", "R(rel=2)@10"], QRELS)
    assert note == (
        "grades go up to 3; RR@10: relevant from grade 1; "
        "R(rel=2)@10: relevant from grade 2 (1 queries have none and count as 0)"
    )
    assert threshold_note(["RR@10"], {"q": {"a": 1, "b": 0}}) == ""
    assert threshold_note(["nDCG@10"], QRELS) == ""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("P", "P with cutoff, such as P@10"),
        ("P(foo=1)@3", "unsupported params"),
        ("nDCG@x", "wrong one"),
        ("alpha_nDCG@10", "ir-measures"),
        ("RR@10; import os", "multiple expressions"),
    ],
)
def test_measures_that_cannot_be_computed_are_refused(name, told):
    with pytest.raises(InputError, match=told):
        check_measures([name])
