"""Collections as training sets, with mined negatives and a teacher's scores."""

import json
import math

import pytest

from hyperir.core.errors import CollectionError, DuplicateIdError
from hyperir.train.data import SETS, open_training


@pytest.fixture
def beir(tmp_path):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "text": f"text {i}", "title": f"title {i}"} for i in range(6)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{i}", "text": f"query {i}"}) + "\n" for i in range(3))
    )
    judged = ["q0\td0\t2", "q0\td1\t1", "q0\td2\t0", "q1\td3\t1"]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged) + "\n")
    return folder


def mined(folder, lines):
    path = folder / "negatives.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_each_judged_pair_is_an_example(beir):
    training_set = open_training(beir, split="train")
    assert [(e.query, e.items) for e in map(training_set.__getitem__, range(3))] == [
        ("query 0", ("d0",)),
        ("query 0", ("d1",)),
        ("query 1", ("d3",)),
    ]
    assert training_set[0].positives == {"d0", "d1"}
    assert training_set[0].labels == (2.0,)
    assert training_set.text("d4") == {"id": "d4", "title": "title 4", "text": "text 4"}
    assert len(open_training(beir, split="train", grade=2)) == 1


def test_mined_negatives_follow_and_positives_are_left_out(beir):
    lines = [{"query_id": "q0", "negatives": ["d5", "d1", "d2"]}]
    training_set = open_training(beir, split="train", negatives=mined(beir, lines))
    assert training_set[0].items == ("d0", "d5", "d2")
    assert training_set[0].labels[0] == 2.0
    assert math.isnan(training_set[0].labels[1])
    assert training_set[0].labels[2] == 0.0
    assert training_set[2].items == ("d3",)


def test_the_fingerprint_covers_documents_and_negatives(beir):
    plain = open_training(beir, split="train").fingerprint
    with_negatives = mined(beir, [{"query_id": "q0", "negatives": ["d5"]}])
    more = open_training(beir, split="train", negatives=with_negatives).fingerprint
    corpus = beir / "corpus.jsonl"
    corpus.write_text(corpus.read_text().replace("text 4", "text four"))
    assert len({plain, more, open_training(beir, split="train").fingerprint}) == 3


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"query_id": "q0"}], "line 1"),
        ([{"query_id": "q0", "negatives": [1]}], "line 1"),
        ([{"query_id": "q0", "negatives": []}] * 2, "line 2"),
        ([{"query_id": "q9", "negatives": ["d1"]}], "for none of the 2 queries"),
    ],
)
def test_wrong_negatives_are_named(beir, lines, said):
    with pytest.raises(CollectionError, match=said):
        open_training(beir, split="train", negatives=mined(beir, lines))


def test_wrong_splits_and_twice_the_same_id_are_refused(beir):
    with pytest.raises(CollectionError, match="'test'"):
        open_training(beir, split="test")
    with pytest.raises(CollectionError, match="nothing to learn from"):
        open_training(beir, split="train", grade=3)
    with (beir / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "d1", "text": "again"}\n')
    with pytest.raises(DuplicateIdError, match="1 documents"):
        open_training(beir, split="train").text("d0")


def test_a_teachers_scores_become_labels(beir):
    source = {"type": "collection", "source": str(beir)}
    source["negatives"] = mined(beir, [{"query_id": "q0", "negatives": ["d5"]}])
    of = SETS.build(source)
    scores = beir / "scores.jsonl"
    lines = [{"training": of.fingerprint}, *({"scores": s} for s in ([1.0, 4.0], [2.0, 1.0], [0.5]))]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    taught = SETS.build({"type": "taught", "of": source, "scores": str(scores)})
    assert [taught[i].labels for i in range(3)] == [(1.0, 4.0), (2.0, 1.0), (0.5,)]
    assert taught[0].items == ("d0", "d5")
    best = SETS.build({"type": "taught", "of": source, "scores": str(scores), "positive": "best"})
    assert (best[0].items, best[0].labels) == (("d5", "d0"), (4.0, 1.0))
    assert best[0].positives == {"d0", "d1", "d5"}
    assert len({of.fingerprint, taught.fingerprint, best.fingerprint}) == 3

    scores.write_text("".join(json.dumps(line) + "\n" for line in lines[:-1]))
    with pytest.raises(CollectionError, match="not finished"):
        SETS.build({"type": "taught", "of": source, "scores": str(scores)})
    lines[0] = {"training": "other"}
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(CollectionError, match="another training set"):
        SETS.build({"type": "taught", "of": source, "scores": str(scores)})


def test_real_training_splits_are_read(data):
    training_set = open_training(data / "scifact", split="train")
    assert len(training_set) > 500
    assert training_set.text(training_set[0].items[0])["text"]
