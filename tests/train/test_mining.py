"""Mined negatives: never relevant, in the order found, thinned and denoised as asked, and the file goes on."""

import json

import pytest
from teacher_models import Words

from hyperir.core.errors import InputError
from hyperir.corpus import open_collection
from hyperir.search.bare import Bare
from hyperir.train.data import open_training
from hyperir.train.mining import BLOCK, Mining, mine

COUNT = 2 * BLOCK + 3


@pytest.fixture
def beir(tmp_path):
    """Query i asks for document i; searches for query i find it, then the others by their distance."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "text": f"word{i} word{i + 1} common"} for i in range(COUNT)]
    queries = [{"_id": f"q{i}", "text": f"word{i} word{i + 1}"} for i in range(COUNT)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = [f"q{i}\td{i}\t1" for i in range(COUNT)] + ["q0\td3\t0", "q1\td9\t1"]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(judged) + "\n")
    return folder


def near(texts, k):
    """Ids by the distance of their numbers from the query's."""
    found = []
    for text in texts:
        number = int(text.split()[0].removeprefix("word"))
        order = sorted(range(COUNT), key=lambda i: (abs(i - number), i))
        found.append({f"d{i}": float(-abs(i - number)) for i in order[:k]})
    return found


def lines_of(path):
    header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert header["hyperir"] == "mine"
    return {line["query_id"]: line for line in lines}


def mined(beir, tmp_path, search=near, **options):
    teacher = options.pop("teacher", None)
    output = tmp_path / "negatives.jsonl"
    assert mine(open_collection(beir), "train", search, output, Mining(**options), teacher=teacher) == COUNT
    return lines_of(output)


def test_the_best_documents_without_the_positives(beir, tmp_path):
    lines = mined(beir, tmp_path, depth=4)
    assert list(lines) == [f"q{i}" for i in range(COUNT)]
    assert lines["q0"] == {
        "query_id": "q0",
        "query": "word0 word1",
        "negatives": ["d1", "d2", "d3"],
        "scores": [-1.0, -2.0, -3.0],
    }
    assert lines["q10"]["negatives"] == ["d9", "d11", "d8"]


def test_the_top_is_skipped_and_the_rest_thinned(beir, tmp_path):
    lines = mined(beir, tmp_path, depth=40, skip=3, keep=2, extra=5)
    for query, line in lines.items():
        found = [id_ for id_ in list(near([line["query"]], 40)[0])[3:] if id_ != f"d{query[1:]}"]
        found = [id_ for id_ in found if (query, id_) != ("q1", "d9")]
        assert line["negatives"][:2] == found[:2]
        assert len(line["negatives"]) == 7
        places = [found.index(id_) for id_ in line["negatives"]]
        assert places == sorted(set(places)), "in the order found"


def test_a_teacher_takes_false_negatives_out(beir, tmp_path):
    """Neighbours share a word with the query: one, where the positive has two."""
    lines = mined(beir, tmp_path, depth=5, below=0.5, teacher=Words())
    assert lines["q10"]["negatives"] == ["d8", "d12"]
    (tmp_path / "negatives.jsonl").unlink()
    lines = mined(beir, tmp_path, depth=5, margin=1.0, teacher=Words())
    assert lines["q10"]["negatives"] == ["d9", "d11", "d8", "d12"]
    assert lines["q1"]["negatives"] == [], "its other positive, d9, has no word of it: nothing lies far enough below"


def test_a_threshold_needs_a_teacher(beir, tmp_path):
    for mining, teacher in ((Mining(below=1.0), None), (Mining(), Words())):
        with pytest.raises(InputError, match="go together"):
            mine(open_collection(beir), "train", near, tmp_path / "n.jsonl", mining, teacher=teacher)
    for wrong in ({"depth": 0}, {"depth": 3, "skip": 3}, {"extra": 1}, {"keep": 0}):
        with pytest.raises(InputError, match="nothing would be mined"):
            Mining(**wrong)


def test_a_stop_goes_on_with_the_same_lines(beir, tmp_path):
    whole = mined(beir, tmp_path, depth=40, keep=2, extra=5)
    calls = 0

    def stopping(texts, k):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return near(texts, k)

    output, options = tmp_path / "stopped.jsonl", Mining(depth=40, keep=2, extra=5)
    with pytest.raises(KeyboardInterrupt) as raised:
        mine(open_collection(beir), "train", stopping, output, options)
    assert f"{BLOCK} of {COUNT}" in raised.value.__notes__[0]
    assert mine(open_collection(beir), "train", near, output, options) == COUNT - BLOCK
    assert lines_of(output) == whole
    with pytest.raises(InputError, match="depth 30"):
        mine(open_collection(beir), "train", near, output, Mining(depth=30, keep=2, extra=5))


@pytest.mark.parametrize("name", ["bm25", "tfidf"])
def test_words_find_what_shares_them(beir, tmp_path, name):
    lines = mined(beir, tmp_path, Bare(name, open_collection(beir), show_progress=False).answer, depth=3)
    assert set(lines["q10"]["negatives"]) == {"d9", "d11"}


def test_a_training_set_reads_what_was_mined(beir, tmp_path):
    mined(beir, tmp_path, depth=4)
    training_set = open_training(beir, split="train", negatives=str(tmp_path / "negatives.jsonl"))
    assert len(training_set) == COUNT + 1
    assert training_set[0].items == ("d0", "d1", "d2", "d3")
    assert training_set[0].labels[3] == 0.0
