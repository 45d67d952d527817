from __future__ import annotations

import gzip
import itertools
import math
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperir.core.errors import CollectionError, InputError
from hyperir.corpus.trec import read_qrels, read_run, write_run


def single(value: float) -> float:
    """As trec_eval reads it."""
    return struct.unpack("f", struct.pack("f", value))[0]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "text",
    [
        "q1 0 d1 2\nq1 0 d2 0\n\nq2 0 d1 -1\n",
        "q1\tQ0\td1\t2\r\nq1\tQ0\td2\t0\r\nq2\tQ0\td1\t-1\r\n",
        "\ufeffq1   0  d1 2.0\nq1 0 d2 0\nq2 0 d1 -1\nq2 0 d1 -1",
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n",
        "qid\tpid\tjudgement\nq1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n",
        "q1\td1\t2\nq1\td2\t0\nq2\td1\t-1\n",
    ],
)
def test_qrels(tmp_path, text, pack):
    (tmp_path / "q").write_bytes(pack(text.encode()))
    assert read_qrels(str(tmp_path / "q")) == {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": -1}}


def test_ids_with_spaces_in_tables(tmp_path):
    (tmp_path / "q.tsv").write_text("query-id\tcorpus-id\tscore\nq 1\tmy file.txt\t1\n")
    assert read_qrels(tmp_path / "q.tsv") == {"q 1": {"my file.txt": 1}}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("q1 0 d1 1\nq1 0 d2\n", 2, "expected: 4 fields, `qid 0 docid grade`"),
        ("q1 0 d1 1\nq1 0 d2 high\n", 2, "a whole number, not 'high'"),
        ("q1 0 d1 high\n", 1, "a whole number, not 'high'"),
        ("q1 0 d1 0.5\n", 1, "a whole number, not '0.5'"),
        ("q1 0 d1 nan\n", 1, "a whole number, not 'nan'"),
        ("q1 0 d1 1\nq1 0 d1 0\n", 2, "'d1' comes a second time for query 'q1'"),
        ("just some words in a text\n", 1, "`qid 0 docid grade` or `query-id corpus-id score`"),
        ("query-id\tcorpus-id\tscore\nq1\t\t1\n", 2, "none of them empty"),
    ],
)
def test_broken_qrels(tmp_path, text, line, said):
    path = tmp_path / "qrels.txt"
    path.write_text(text)
    with pytest.raises(CollectionError) as caught:
        read_qrels(path)
    assert f"line {line} of {path}" in str(caught.value)
    assert said in str(caught.value)


def test_qrels_without_judgements(tmp_path):
    path = tmp_path / "qrels.tsv"
    path.write_text("query-id\tcorpus-id\tscore\n")
    with pytest.raises(CollectionError, match=r"no judgement in .*qrels\.tsv"):
        read_qrels(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "text",
    [
        "q1 Q0 d2 1 3.5 me\nq1 Q0 d1 2 -1e-3 me\n",
        "q1\tQ0\td2\t1\t3.5\tme\nq1\tQ0\td1\t2\t-1e-3\tme",
        "query-id\tcorpus-id\trank\tscore\nq1\td2\t1\t3.5\nq1\td1\t2\t-0.001\n",
    ],
)
def test_runs(tmp_path, text, pack):
    (tmp_path / "r").write_bytes(pack(text.encode()))
    assert read_run(tmp_path / "r") == {"q1": {"d2": 3.5, "d1": -0.001}}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("q1 Q0 d1 1 2.0 me\nq1 Q0 d2 2 1.0\n", 2, "expected: 6 fields, `qid Q0 docid rank score tag`"),
        ("q1 Q0 d1 1 x me\n", 1, "a finite number, not 'x'"),
        ("q1 Q0 d1 1 inf me\n", 1, "a finite number, not 'inf'"),
        ("q1 Q0 d1 1 2 me\nq1 Q0 d1 2 2 me\n", 2, "comes a second time"),
        ("q1\td1\t1\n", 1, "`qid Q0 docid rank score tag`"),
    ],
)
def test_broken_runs(tmp_path, text, line, said):
    path = tmp_path / "run.trec"
    path.write_text(text)
    with pytest.raises(CollectionError) as caught:
        read_run(path)
    assert f"line {line} of {path}" in str(caught.value)
    assert said in str(caught.value)


def test_what_is_written(tmp_path):
    path = tmp_path / "run.trec"
    write_run(
        path, {"q": {"a": 1.0, "b": 2.123456789, "c": 1.0, "d": 1.0000001, "e": -5}, "p": {"x": 0.0, "y": 0}}, "me"
    )
    assert path.read_text().splitlines() == [
        "q Q0 b 1 2.12346 me",
        "q Q0 d 2 1.00000 me",
        "q Q0 a 3 0.999999 me",
        "q Q0 c 4 0.999998 me",
        "q Q0 e 5 -5 me",
        "p Q0 x 1 0 me",
        "p Q0 y 2 -1E-35 me",
    ]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    run=st.dictionaries(
        st.text("abcé1", min_size=1, max_size=3),
        st.dictionaries(
            st.text("xyz/0.", min_size=1, max_size=4),
            st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, 1e-40, -1e-40, 999999.5, 1e6, 5]),
            min_size=1,
        ),
    ),
    packed=st.booleans(),
)
def test_round_trip(tmp_path, run, packed):
    path = tmp_path / ("run.gz" if packed else "run.trec")
    write_run(path, run, "tag")
    again = read_run(path)
    assert list(again) == list(run)
    for qid, scores in run.items():
        assert list(again[qid]) == sorted(scores, key=lambda docid: -scores[docid])
        read = list(again[qid].values())
        assert all(a > b for a, b in itertools.pairwise(read))
        assert all(single(a) > single(b) for a, b in itertools.pairwise(read))
        for docid, score in scores.items():
            assert math.isclose(again[qid][docid], score, rel_tol=1e-5 * (len(scores) + 1), abs_tol=1e-30)


def test_equal_runs_make_equal_files(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_run(tmp_path / name, {"q": {"d": 1.0}}, "me")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert read_run(tmp_path / "a.gz") == {"q": {"d": 1.0}}


def test_nothing_found_is_an_empty_run(tmp_path):
    write_run(tmp_path / "r", {"q": {}}, "me")
    assert read_run(tmp_path / "r") == {}


@pytest.mark.parametrize(
    ("run", "tag", "said"),
    [
        ({"q": {"d": math.nan}}, "me", "the score of document 'd' for query 'q'"),
        ({"q": {"d": math.inf}}, "me", "finite numbers"),
        ({"q": {"my file.txt": 1.0}}, "me", "'my file.txt'"),
        ({"q 1": {"d": 1.0}}, "me", "'q 1'"),
        ({"q": {"": 1.0}}, "me", "a document id"),
        ({"q": {"d": 1.0}}, "my tag", "the tag of a run"),
    ],
)
def test_what_cannot_be_written(tmp_path, run, tag, said):
    path = tmp_path / "r"
    path.write_text("as it was")
    with pytest.raises(InputError) as caught:
        write_run(path, run, tag)
    assert said in str(caught.value)
    assert path.read_text() == "as it was"


def test_nowhere_to_write(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_run(tmp_path / "no" / "r", {"q": {"d": 1.0}}, "me")
