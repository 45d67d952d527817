"""A bare model over a collection gives what its index gives, and writes nothing."""

import pytest
from tiny_models import HYPER, make_model

from hyperir import BM25, Index
from hyperir.core.errors import CollectionError, DuplicateIdError
from hyperir.search.memory import run_in_memory

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "search", "engine", "ranks", "documents"]
ROWS = [{"id": f"d{i}", "title": w, "text": f"{w} {WORDS[(3 * i + 1) % len(WORDS)]}"} for i, w in enumerate(WORDS)]
QUERIES = {f"q{i}": f"{WORDS[i % 12]} {WORDS[i // 12]}" for i in range(70)}  # more than are searched at once


class Rows:
    """A collection whose every reading is the next of `readings`, the last one again and again."""

    name, count = "rows", None

    def __init__(self, *readings):
        self.readings = list(readings)

    def documents(self):
        return iter(self.readings.pop(0) if len(self.readings) > 1 else self.readings[0])


@pytest.fixture(scope="module")
def model():
    return make_model(HYPER)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_a_bare_model_answers_as_its_index_does(tmp_path, model, k):
    index = Index.create(tmp_path / "my.index", model)
    index.add(ROWS, show_progress=False)
    expected = index.run(QUERIES, k)
    # One document a batch and 16 encoded together: blocks of other sizes than the index's.
    found = run_in_memory(model, Rows(ROWS), QUERIES, k, batch_size=1, show_progress=False)
    assert list(found) == list(QUERIES)
    for query, answers in expected.items():
        assert list(found[query]) == list(answers)
        assert list(found[query].values()) == pytest.approx(list(answers.values()), rel=1e-4, abs=1e-4)


def test_more_documents_than_are_encoded_together(model):
    rows = [{"id": str(i), "text": WORDS[i % 12]} for i in range(40)]
    (found,) = run_in_memory(model, Rows(rows), {"q": "fox"}, 99, batch_size=1, show_progress=False).values()
    assert set(found) == {str(i) for i in range(40)}
    scores = model.encode_query(["fox"])(model.encode_document(rows))[0].tolist()
    assert [found[str(i)] for i in range(40)] == pytest.approx(scores, rel=1e-4, abs=1e-4)


def test_bm25_by_its_name():
    found = run_in_memory("bm25", Rows(ROWS), QUERIES, 3, show_progress=False)
    hits = BM25(ROWS).search(list(QUERIES.values()), 3)
    for (query, answers), some in zip(found.items(), hits, strict=True):
        assert query in QUERIES
        assert list(answers) == [hit.id for hit in some]
        assert list(answers.values()) == pytest.approx([hit.score for hit in some], rel=1e-5)


def test_tfidf_by_its_name():
    (found,) = run_in_memory("tfidf", Rows(ROWS), {"q": "fox jumps"}, 3, show_progress=False).values()
    assert next(iter(found)) == "d3"


def test_an_empty_collection_answers_with_nothing(model):
    for each in (model, "bm25"):
        assert run_in_memory(each, Rows([]), {"q": "fox"}, show_progress=False) == {"q": {}}
    assert run_in_memory(model, Rows(ROWS), {}, show_progress=False) == {}


def test_the_same_id_far_apart_is_refused(model):
    rows = [{"id": str(i % 30), "text": "fox"} for i in range(31)]
    for each in (model, "bm25"):
        with pytest.raises(DuplicateIdError, match="'0' stands twice in this add: rows 0 and 30"):
            run_in_memory(each, Rows(rows), {"q": "fox"}, batch_size=1, show_progress=False)


@pytest.mark.parametrize("now", [ROWS[:-1], [*ROWS, {"id": "new", "text": "fox"}]])
def test_a_collection_that_changes_in_between_is_refused(model, now):
    with pytest.raises(CollectionError, match="changed while it was read"):
        run_in_memory(model, Rows(ROWS, now), {"q": "fox"}, show_progress=False)
