"""A bare model over a collection: what its index answers, by its name too, and honest costs."""

import pytest
from tiny_models import HYPER, make_model

from hyperir import BM25, Index
from hyperir.core.errors import CapabilityError, CollectionError, ConfigError, DuplicateIdError, InputError
from hyperir.search.bare import Bare, check_strategy

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


def bare(model, *readings, **options):
    return Bare(model, Rows(*readings), show_progress=False, **options)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_a_bare_model_answers_as_its_index_does(tmp_path, model, k):
    index = Index.create(tmp_path / "my.index", model)
    index.add(ROWS, show_progress=False)
    expected = index.run(QUERIES, k)
    # One document a batch and 16 encoded together: blocks of other sizes than the index's.
    found, _ = bare(model, ROWS, batch_size=1).run(QUERIES, k)
    assert list(found) == list(QUERIES)
    for query, answers in expected.items():
        assert list(found[query]) == list(answers)
        assert list(found[query].values()) == pytest.approx(list(answers.values()), rel=1e-4, abs=1e-4)


def test_more_documents_than_are_encoded_together(model):
    rows = [{"id": str(i), "text": WORDS[i % 12]} for i in range(40)]
    (found,) = bare(model, rows, batch_size=1).answer(["fox"], 99)
    assert set(found) == {str(i) for i in range(40)}
    scores = model.encode_query(["fox"])(model.encode_document(rows))[0].tolist()
    assert [found[str(i)] for i in range(40)] == pytest.approx(scores, rel=1e-4, abs=1e-4)


def test_a_model_is_encoded_once_and_searched_by_several_strategies(model):
    held = bare(model, ROWS, ROWS, [])  # a third reading would find nothing
    run, cost = held.run(QUERIES, 5)
    for one, again in zip(run.values(), held.answer(list(QUERIES.values())[:9], 5), strict=False):
        assert one == pytest.approx(again, rel=1e-5)  # in batches of other sizes
    assert (cost.documents, cost.index_bytes, cost.scored) == (12, 12 * model.width * 4, 12)
    assert cost.query_ms > 0
    assert cost.build_seconds > 0
    some, cheap = held.run(QUERIES, 5, strategy={"type": "ivf", "cells": 4, "probes": 1})
    assert set(some) == set(QUERIES)
    assert 0 < cheap.scored < 4 + 12
    assert held.run({}, 5)[0] == {}


def test_the_documents_serve_another_model_of_the_same_side():
    first, second = make_model("dot"), make_model(HYPER)
    held = bare(first, ROWS, ROWS, [])  # a third reading would find nothing
    found, _ = held.beside(second).run(QUERIES, 5)
    expected, _ = bare(second, ROWS).run(QUERIES, 5)
    assert found == expected
    assert held.run(QUERIES, 5)[0] != found
    for other in (held, bare("bm25", ROWS)):
        with pytest.raises(InputError, match="made by another model"):
            other.beside(make_model("dot", seed=1))


def test_what_a_strategy_builds_is_counted_beside_the_vectors(model):
    held = bare(model, ROWS)
    assert held.run(QUERIES, 5)[1].built_bytes == 0
    cells = {"type": "ivf", "cells": 4, "probes": 1}
    assert held.run(QUERIES, 5, strategy=cells)[1].built_bytes >= 4 * model.width * 4


def test_bm25_by_its_name_is_bm25s():
    found, _ = bare("bm25", ROWS).run(QUERIES, 3)
    hits = BM25(ROWS).search(list(QUERIES.values()), 3)
    for (query, answers), some in zip(found.items(), hits, strict=True):
        assert query in QUERIES
        assert list(answers) == [hit.id for hit in some]
        assert list(answers.values()) == pytest.approx([hit.score for hit in some], rel=1e-5)


@pytest.mark.parametrize("name", ["bm25", "tfidf:smart=ltc.ltc"])
def test_words_are_searched_as_by_their_index(tmp_path, name):
    held, index = bare(name, ROWS), Index.create(tmp_path / "words.index", name)
    index.add(ROWS, show_progress=False)
    run, cost = held.run(QUERIES, 12)
    expected = index.run(QUERIES, 12)
    assert run == expected
    assert list(run.values()) == held.answer(list(QUERIES.values()), 12)
    assert any(run.values())
    assert cost.index_bytes == held._held._docs.docs.nbytes > 0
    exact, dearer = held.run(QUERIES, 12, strategy="exact")
    assert [list(found) for found in exact.values()] == [list(found) for found in run.values()]
    assert dearer.scored == len(ROWS) > cost.scored
    with pytest.raises(CapabilityError, match="weights of terms"):
        held.run(QUERIES, strategy="ivf")


def test_words_cost_what_each_query_s_own_lists_hold():
    rows = [{"id": str(i), "text": "fox" if i else "fox dog"} for i in range(10)]
    run, cost = bare("bm25", rows).run({"a": "fox", "b": "dog", "c": "cat"})
    assert [len(answers) for answers in run.values()] == [10, 1, 0]
    assert cost.scored == pytest.approx(11 / 3)


@pytest.mark.parametrize("name", ["model", "bm25", "tfidf"])
def test_an_empty_collection_answers_with_nothing(model, name):
    held = bare(model if name == "model" else name, [])
    assert held.run({"q": "fox"})[0] == {"q": {}}
    assert held.run({})[0] == {}


@pytest.mark.parametrize("name", ["model", "bm25"])
def test_the_same_id_far_apart_is_refused(model, name):
    rows = [{"id": str(i % 30), "text": "fox"} for i in range(31)]
    with pytest.raises(DuplicateIdError, match="'0' stands twice in this add: rows 0 and 30"):
        bare(model if name == "model" else name, rows, batch_size=1)


@pytest.mark.parametrize("now", [ROWS[:-1], [*ROWS, {"id": "new", "text": "fox"}]])
def test_a_collection_that_changes_in_between_is_refused(model, now):
    with pytest.raises(CollectionError, match="changed while it was read"):
        bare(model, ROWS, now)


def test_strategies_are_checked_before_work():
    check_strategy("m", {"type": "ivf"})
    with pytest.raises(InputError, match="did you mean 'exact'"):
        check_strategy("m", "exat")
    with pytest.raises(ConfigError, match="probs"):
        check_strategy("m", {"type": "ivf", "probs": 3})
    for words in ("bm25", "tfidf:smart=nnn"):
        for strategy in ("auto", "exact", "inverted"):
            check_strategy(words, strategy)
        with pytest.raises(InputError, match="system 'a'"):
            check_strategy(words, "ivf", where="system 'a'")
