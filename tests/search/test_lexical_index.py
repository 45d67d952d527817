"""A lexical index: changes equal a fresh one, and the answers are those of the BM25 baseline."""

import os
import random
from itertools import islice
from pathlib import Path

import pytest

from hyperir import BM25
from hyperir.core.errors import CorruptError, DuplicateIdError, InputError
from hyperir.corpus import open_collection
from hyperir.corpus.queries import read_queries
from hyperir.encode.lexical import LexicalModel
from hyperir.search.lexical import LexicalIndex

TEXTS = ["Sorting lists in place", "A sorted copy of any iterable", "os.path_join joins paths", "sorts sort sorted", ""]
ROWS = [{"id": str(i), "text": text} for i, text in enumerate(TEXTS)]
QUERIES = ["sort lists", "join", "sorted sorted copy", "nothing known", "the"]


def answers(index, queries=QUERIES, k=10):
    return [{hit.id: (hit.rank, hit.score) for hit in hits} for hits in index.search(queries, k)]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == list(theirs)
        assert all(ours[id_] == pytest.approx(theirs[id_], rel=1e-5) for id_ in ours)


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire"])
def test_answers_are_those_of_the_baseline(method):
    ours = LexicalIndex(LexicalModel({"type": "bm25", "variant": method}), ROWS)
    assert_same(
        answers(ours), [{h.id: (h.rank, h.score) for h in hits} for hits in BM25(ROWS, method=method).search(QUERIES)]
    )
    assert ours.search(["the"]) == [[]]


@pytest.mark.parametrize("relevance", ["bm25", "tfidf", {"type": "bm25", "variant": "bm25l"}])
def test_after_any_changes_scores_are_those_of_a_fresh_index(relevance):
    draw = random.Random(0)
    words = [f"word{i}" for i in range(12)]
    index, alive = LexicalIndex(LexicalModel(relevance)), {}
    for step in range(60):
        if alive and draw.random() < 0.4:
            gone = draw.sample(sorted(alive), draw.randint(1, min(3, len(alive))))
            assert index.delete(gone) == len(gone)
            for id_ in gone:
                del alive[id_]
        else:
            text = " ".join(draw.choices(words, k=draw.randint(0, 9)))
            alive[f"d{step % 23}-{step}"] = text
            index.add([{"id": f"d{step % 23}-{step}", "text": text}])
        if step % 10 == 9:
            fresh = LexicalIndex(LexicalModel(relevance), [{"id": i, "text": t} for i, t in alive.items()])
            queries = [" ".join(draw.choices(words, k=3)) for _ in range(4)]
            assert_same(answers(index, queries), answers(fresh, queries))
            assert len(index) == len(alive)


def test_wrong_changes_change_nothing():
    index = LexicalIndex("bm25", ROWS)
    before = answers(index)
    with pytest.raises(DuplicateIdError, match="'3' of row 1"):
        index.add([{"id": "new", "text": "sort"}, {"id": "3", "text": "again"}])
    with pytest.raises(InputError, match="1 of 2 ids"):
        index.delete(["1", "new"])
    with pytest.raises(InputError, match="text"):
        index.add([{"id": "x"}])
    assert answers(index) == before
    assert index.delete(["1", "new", "1"], missing_ok=True) == 1
    assert index.add([{"id": "1", "text": "an id may come again"}]) == 1
    assert index.search(["come again"])[0][0].id == "1"


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    index = LexicalIndex(
        LexicalModel("tfidf"), [*ROWS, {"id": "ü\u2028\n", "text": "sort paths", "title": "x", "year": 9}]
    )
    index.delete(["1"])
    index.save(tmp_path / "saved")
    again = LexicalIndex.load(tmp_path / "saved")
    assert answers(again) == answers(index)
    assert len(again) == 5
    assert again.search(["paths"])[0][0].metadata in ({"year": 9}, {})
    again.add([{"id": "1", "text": "sorted again"}])
    with pytest.raises(InputError, match="holds something"):
        again.save(tmp_path / "saved")
    with pytest.raises(InputError, match="metadata"):
        LexicalIndex("bm25", [{"id": "1", "text": "", "value": {1, 2}}]).save(tmp_path / "other")


@pytest.mark.parametrize("file", ["rows.jsonl", "counts.safetensors"])
def test_a_damaged_folder_is_refused(tmp_path, file):
    LexicalIndex("bm25", ROWS).save(tmp_path / "saved")
    place = tmp_path / "saved" / file
    place.write_bytes(place.read_bytes()[:-20])
    with pytest.raises(CorruptError, match="damaged"):
        LexicalIndex.load(tmp_path / "saved")
    place.unlink()
    with pytest.raises(CorruptError, match="damaged"):
        LexicalIndex.load(tmp_path / "saved")


def test_an_empty_index_answers_with_nothing(tmp_path):
    index = LexicalIndex()
    assert index.search(QUERIES) == [[]] * len(QUERIES)
    index.save(tmp_path / "saved")
    assert len(LexicalIndex.load(tmp_path / "saved")) == 0


@pytest.mark.skipif(not os.environ.get("HYPERIR_DATA"), reason="HYPERIR_DATA names no folder of real collections")
@pytest.mark.parametrize("variant", ["robertson", "lucene", "atire", "bm25l", "bm25+"])
def test_over_a_real_collection_scores_are_those_of_bm25s(variant):
    folder = Path(os.environ["HYPERIR_DATA"], "cranfield")
    rows = list(open_collection(folder).documents())
    queries = [text for _, text in islice(read_queries(folder / "queries.jsonl.gz").items(), 40)]
    theirs = BM25(rows, method=variant).search(queries, 10)
    ours = LexicalIndex(LexicalModel({"type": "bm25", "variant": variant}), rows).search(queries, 10)
    for mine, other in zip(ours, theirs, strict=True):
        assert [hit.score for hit in mine] == pytest.approx([hit.score for hit in other], abs=1e-4)
