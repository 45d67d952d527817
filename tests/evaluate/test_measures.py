"""Measures against pytrec_eval and against formulas written out; ties and edge cases."""

import math

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from hyperir.core.errors import InputError
from hyperir.evaluate import compare, evaluate

QRELS = {"q1": {"a": 2, "b": 1, "x": 0}, "q2": {"c": 1}, "q3": {"z": 0}}
RUN = {"q1": {"x": 3.0, "a": 2.0, "b": 1.0}, "q2": {"a": 2.0, "c": 1.0}}


def test_values_written_out():
    scores = evaluate(QRELS, RUN, ["nDCG@10", "RR@10", "R@100", "RR(rel=2)@10"])
    gain = 2 / math.log2(3) + 1 / math.log2(4)
    ideal = 2 / math.log2(2) + 1 / math.log2(3)
    assert scores.by_query["nDCG@10"]["q1"] == pytest.approx(gain / ideal)
    assert scores.by_query["RR@10"] == {"q1": 0.5, "q2": 0.5}
    assert scores.mean("R@100") == 1
    assert scores.by_query["RR(rel=2)@10"] == {"q1": 0.5, "q2": 0}
    assert scores.missing == 0


def test_a_judged_query_without_an_answer_counts_as_zero():
    scores = evaluate(QRELS, {"q1": RUN["q1"]}, ["RR@10"])
    assert scores.by_query["RR@10"] == {"q1": 0.5, "q2": 0}
    assert scores.missing == 1


def test_unjudged_documents_in_the_top_are_counted():
    assert evaluate(QRELS, RUN).unjudged == pytest.approx((0 + 1 / 2) / 2)


docs = st.lists(st.integers(0, 4), min_size=1, max_size=8)


@given(grades=docs, scores=docs)
def test_ties_are_broken_as_given_in_every_measure(grades, scores):
    """The same ranking written with tied and with strictly falling scores must measure the same."""
    qrels = {"q": {f"d{i}": g for i, g in enumerate(grades)} | {"r": 1}}
    tied = {f"d{i}": float(s) for i, s in enumerate(scores)}
    order = sorted(tied, key=lambda d: -tied[d])
    clear = {"q": {d: float(-i) for i, d in enumerate(order)}}
    measures = ["nDCG@3", "RR@3", "RR", "AP", "P@2"]
    assert evaluate(qrels, {"q": tied}, measures).means() == evaluate(qrels, clear, measures).means()


@given(grades=docs, seed=st.randoms())
def test_without_ties_the_values_are_those_of_trec_eval(grades, seed):
    scores = list(range(len(grades)))
    seed.shuffle(scores)
    qrels = {"q": {f"d{i}": g for i, g in enumerate(grades)} | {"r": 1}}
    run = {"q": {f"d{i}": float(s) for i, s in enumerate(scores)}}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.5", "map", "recall.5"}).evaluate(run)["q"]
    ours = evaluate(qrels, run, ["nDCG@5", "AP", "R@5"]).means()
    assert list(ours.values()) == pytest.approx([theirs["ndcg_cut_5"], theirs["map"], theirs["recall_5"]])


def test_mistakes_are_named():
    with pytest.raises(InputError, match="no measure 'nDCX@10'") as caught:
        evaluate(QRELS, RUN, ["nDCX@10"])
    assert "did you mean 'nDCG'?" in str(caught.value)
    with pytest.raises(InputError, match="nothing to measure"):
        evaluate({"q": {"a": 0}}, RUN)
    with pytest.raises(InputError, match="none of the judged queries"):
        evaluate(QRELS, {"other": {"a": 1.0}})


def test_comparison_is_scipys_paired_t_test():
    from scipy import stats

    a = {f"q{i}": v for i, v in enumerate([0.1, 0.5, 0.9, 0.4, 0.4])}
    b = {f"q{i}": v for i, v in enumerate([0.2, 0.3, 0.5, 0.4, 0.1])}
    found = compare(a, b)
    assert found.p == pytest.approx(stats.ttest_rel(list(a.values()), list(b.values())).pvalue)
    assert (found.wins, found.ties, found.losses) == (3, 1, 1)
    assert found.difference == pytest.approx(0.16)
    assert compare(a, a).p == 1
    with pytest.raises(InputError, match="different queries"):
        compare(a, {"q0": 1.0})


def test_pooled_trec_dl_2019_gives_the_published_bm25_figure(data):
    from hyperir.corpus.trec import read_qrels, read_run

    folder = data / "trec-dl-2019-pooled"
    scores = evaluate(read_qrels(folder / "qrels/full-test.tsv.gz"), read_run(folder / "runs/BM25.tsv.gz"), ["nDCG@10"])
    assert scores.mean("nDCG@10") == pytest.approx(0.5058, abs=5e-5)
