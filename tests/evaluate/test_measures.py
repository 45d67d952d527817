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


def test_a_run_that_found_nothing_is_worth_nothing():
    scores = evaluate(QRELS, {"q1": {}, "q2": {}}, ["RR@10"])
    assert (scores.means(), scores.missing, scores.unjudged) == ({"RR@10": 0}, 2, 0)


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


def test_err_is_its_formula_whatever_the_ids():
    """gdeval reads topics that are numbers, so that ERR could not be had for queries named otherwise."""
    qrels = {"q one": {"a b": 2, "c": 1}, "q two": {"c": 1}}
    run = {"q one": {"a b": 2.0, "c": 1.0}, "q two": {"x": 2.0, "c": 1.0}}
    found = evaluate(qrels, run, ["ERR@20"]).by_query["ERR@20"]
    gain = {grade: (2**grade - 1) / 16 for grade in (1, 2)}
    assert found["q one"] == pytest.approx(gain[2] + (1 - gain[2]) * gain[1] / 2, abs=1e-5)
    assert found["q two"] == pytest.approx(gain[1] / 2, abs=1e-5)


def test_two_names_of_one_measure_have_the_same_values():
    scores = evaluate(QRELS, RUN, ["RR@10", "MRR@10", "RR(rel=1)@10"])
    assert set(scores.means().values()) == {0.5}


def test_counts_are_summed():
    assert evaluate(QRELS, RUN, ["NumRet", "NumRel"]).means() == {"NumRet": 5, "NumRel": 3}


def test_judged_in_the_top_ten_is_one_less_unjudged():
    scores = evaluate(QRELS, RUN, ["Judged@10"])
    assert scores.mean("Judged@10") == pytest.approx(1 - scores.unjudged)


def test_scores_that_differ_in_double_precision_only_keep_their_order():
    """trec_eval reads single precision, where these are ties, which it breaks by the id."""
    run = {"q": {"a": 1.0 + 2e-9, "b": 1.0 + 1e-9, "c": 1.0}}
    for rank, doc in enumerate("abc", 1):
        assert evaluate({"q": {doc: 1}}, run, ["RR", "RR@10", "AP"]).means() == dict.fromkeys(
            ("RR", "RR@10", "AP"), 1 / rank
        )


def test_blocks_of_queries_measure_as_ir_measures_alone(monkeypatch):
    import random

    import ir_measures

    from hyperir.evaluate import measures

    monkeypatch.setattr(measures, "BLOCK", 3)
    draw = random.Random(0)
    qrels = {f"q{i}": {f"d{draw.randrange(30)}": draw.randrange(3) for _ in range(9)} | {"r": 1} for i in range(10)}
    run = {q: {f"d{d}": -float(at) for at, d in enumerate(draw.sample(range(30), 20))} for q in list(qrels)[:-1]}
    names = ["nDCG@10", "RR@10", "RR", "R@5", "AP(rel=2)", "P@5", "Bpref", "Judged@10", "NumRet", "Rprec", "infAP"]
    parsed = [ir_measures.parse_measure(name) for name in names]
    alone = ir_measures.calc_aggregate(parsed, qrels, run)
    assert evaluate(qrels, run, names).means() == pytest.approx({str(m): v for m, v in alone.items()})
