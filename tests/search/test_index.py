"""The user's index: rows in, hits out, with and without a model, and every mistake named with nothing changed."""

import numpy as np
import pytest
import torch
from tiny_models import HYPER, make_model

from hyperir import Index
from hyperir.core.errors import DuplicateIdError, FingerprintError, InputError, VectorError
from hyperir.index.filters import Compare
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "search", "engine", "ranks", "documents"]
ROWS = [
    {"id": f"d{i}", "title": w, "text": f"{w} {WORDS[(3 * i + 1) % len(WORDS)]}", "length": len(w)}
    for i, w in enumerate(WORDS)
]


@pytest.fixture(scope="module")
def model():
    return make_model(HYPER)


@pytest.fixture
def index(tmp_path, model):
    index = Index.create(tmp_path / "my.index", model)
    assert index.add(iter(ROWS), show_progress=False) == len(ROWS)
    return index


def test_search_is_brute_force_over_the_models_scores(index, model):
    queries = ["quick fox", "engine"]
    scores = model.encode_query(queries)(model.encode_document(ROWS))
    found = index.search(queries, k=4)
    for q, hits in enumerate(found):
        assert [hit.id for hit in hits] == [ROWS[i]["id"] for i in scores[q].topk(4).indices.tolist()]
        assert [hit.rank for hit in hits] == [1, 2, 3, 4]
        torch.testing.assert_close(
            torch.tensor([h.score for h in hits]), scores[q].topk(4).values, rtol=1e-4, atol=1e-4
        )
        row = next(row for row in ROWS if row["id"] == hits[0].id)
        assert (hits[0].text, hits[0].title, hits[0].metadata) == (row["text"], row["title"], {"length": row["length"]})
    assert index.scored == len(ROWS)


def test_it_opens_again_with_the_same_hits_and_grows(index, model):
    before = index.search(["lazy dog"], k=3)
    again = Index.open(index.store.path, model)
    assert again.search(["lazy dog"], k=3) == before
    again.add([{"id": "new", "text": "lazy dog lazy dog"}], show_progress=False)
    assert len(again) == len(ROWS) + 1
    assert "new" in {hit.id for hit in again.search(["lazy dog"], k=len(again))[0]}
    assert len(index) == len(ROWS), "an open index stays at its commit"


@pytest.mark.parametrize("strategy", ["exact", {"type": "exact", "block": 5}, STRATEGIES.parse({"type": "exact"})])
def test_a_strategy_is_a_name_or_a_configuration(index, strategy):
    expected = index.search(["lazy dog"], k=5)[0]
    found = index.search(["lazy dog"], k=5, strategy=strategy)[0]
    assert [hit.id for hit in found] == [hit.id for hit in expected]
    assert list(index.run({"q": "lazy dog"}, k=5, strategy=strategy)["q"]) == [hit.id for hit in expected]
    assert index.find(["lazy dog"], k=5, strategy=strategy).scored == len(ROWS)


def test_a_strategys_configuration_reaches_it(index):
    seen = []

    class Spy(InnerProduct):
        def __call__(self, docs):
            seen.append(docs.shape[0])
            return super().__call__(docs)

    index.search(Spy(torch.randn(1, index.store.width)), k=1, strategy={"type": "exact", "block": 5})
    assert seen == [5, 5, 2]


def test_where_searches_a_part_as_if_it_were_all(index, model, tmp_path):
    part = [row for row in ROWS if row["length"] >= 5 and row["title"] != "quick"]
    alone = Index.create(tmp_path / "part.index", model)
    alone.add(part, show_progress=False)
    where = "length >= 5 and title <> 'quick'"
    found, expected = index.search(["quick fox", "dog"], where=where), alone.search(["quick fox", "dog"])
    assert [[hit.id for hit in hits] for hits in found] == [[hit.id for hit in hits] for hits in expected]
    assert [len(hits) for hits in found] == [len(part)] * 2
    assert index.run({"q": "dog"}, k=3, where=where)["q"].keys() == {hit.id for hit in expected[1][:3]}
    assert index.find(["fox"], where=Compare("id", "=", "d3")).rows[0, :2].tolist() == [3, -1]
    assert index.search(["fox"], where="length is null") == [[]]
    with pytest.raises(InputError, match="did you mean 'length'"):
        index.search(["fox"], where="lenght > 1")


def test_k_beyond_n_returns_n(index):
    assert len(index.search(["fox"], k=1000)[0]) == len(ROWS)


def test_an_empty_index_answers_with_nothing(tmp_path, model):
    index = Index.create(tmp_path / "empty.index", model)
    assert index.add([], show_progress=False) == 0
    assert index.search(["anything", "else"]) == [[], []]


def test_empty_texts_are_kept_and_counted(tmp_path, model):
    index = Index.create(tmp_path / "some.index", model)
    index.add([{"id": "a", "text": ""}, {"id": "b", "text": "fox"}], show_progress=False)
    assert len(index) == 2
    assert index.info()["empty_texts"] == 1


@pytest.mark.parametrize("make", [lambda v: v, lambda v: v.numpy(), lambda v: v.numpy().astype(np.float64)])
def test_vectors_of_ones_own_need_no_model(tmp_path, make):
    vectors = torch.randn(5, 3)
    index = Index.create(tmp_path / "own.index", width=3)
    index.add([{"id": str(i), "text": ""} for i in range(5)], vectors=make(vectors), show_progress=False)
    f = InnerProduct(torch.randn(2, 3))
    hits = index.search(f, k=2)
    assert [[int(h.id) for h in some] for some in hits] == f.queries.matmul(vectors.T).topk(2).indices.tolist()
    with pytest.raises(InputError, match="no model that reads text"):
        index.search(["text"])


@pytest.mark.parametrize(
    ("vectors", "error", "match"),
    [
        (torch.zeros(2, 4), VectorError, "4"),
        (torch.tensor([[0.0, 0, 0], [0, float("nan"), 0]]), VectorError, "'b'"),
        (torch.tensor([[0.0, 0, 0], [0, float("inf"), 0]]), VectorError, "'b'"),
        (torch.zeros(3, 3), VectorError, "3 vectors"),
        (torch.zeros(1, 3), InputError, "2 and 1"),
        (torch.zeros(2, 3, dtype=torch.int64), VectorError, "int64"),
    ],
)
def test_wrong_vectors_are_refused_and_nothing_is_added(tmp_path, vectors, error, match):
    index = Index.create(tmp_path / "own.index", width=3)
    with pytest.raises(error, match=match):
        index.add([{"id": "a", "text": ""}, {"id": "b", "text": ""}], vectors=vectors, show_progress=False)
    assert len(index.store.refresh()) == 0


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        ([{"id": "x", "text": "a"}, {"id": "x", "text": "b"}], DuplicateIdError, "'x' stands twice"),
        ([{"id": "d3", "text": "a"}], DuplicateIdError, "'d3'"),
        ([{"id": "y"}], InputError, "text"),
        ([{"text": "y"}], InputError, "id"),
        ([{"id": 7, "text": "y"}], InputError, "id"),
    ],
)
def test_wrong_rows_are_refused_and_nothing_is_added(index, rows, error, match):
    with pytest.raises(error, match=match):
        index.add([{"id": "fine", "text": "fox"}, *rows], show_progress=False)
    assert len(index.store.refresh()) == len(ROWS)


def test_another_models_index_is_refused(index):
    with pytest.raises(FingerprintError, match="was made by another model"):
        Index.open(index.store.path, make_model(HYPER, seed=1))


def test_a_model_that_differs_in_its_relevance_only_may_search(index):
    other = make_model({"type": "dot"})
    assert len(Index.open(index.store.path, other).search(["fox"], k=2)[0]) == 2


def test_mistakes_of_a_call(index, tmp_path, model):
    with pytest.raises(InputError, match="one query where many"):
        index.search("fox")
    with pytest.raises(InputError, match="k >= 1"):
        index.search(["fox"], k=0)
    with pytest.raises(InputError, match="did you mean 'exact'"):
        index.search(["fox"], strategy="exakt")
    with pytest.raises(InputError, match="unknown key 'blok'"):
        index.search(["fox"], strategy={"type": "exact", "blok": 5})
    with pytest.raises(InputError, match="which strategies member"):
        index.search(["fox"], strategy={"first_pass": "bfloat16"})
    with pytest.raises(InputError, match="a model, or the width"):
        Index.create(tmp_path / "none.index")
    with pytest.raises(InputError, match="width = 3"):
        Index.create(tmp_path / "none.index", model, width=3)
    assert not (tmp_path / "none.index").exists()


def test_a_run_is_in_rank_order(index):
    run = index.run({"q1": "quick fox", "q2": "dog"}, k=5)
    assert list(run) == ["q1", "q2"]
    assert list(run["q1"]) == [hit.id for hit in index.search(["quick fox"], k=5)[0]]


def test_an_explanation_adds_up(model):
    from hyperir.search.explain import explain

    why = explain(model, "quick brown fox", "The lazy dog. The quick brown fox jumps over.")
    assert set(why.words) == {"quick", "brown", "fox"}
    assert why.sentence in ("The lazy dog.", "The quick brown fox jumps over.")
    f, docs = (
        model.encode_query(["quick fox"]),
        model.encode_document(["The lazy dog. The quick brown fox jumps over."]),
    )
    assert why.words["brown"] == pytest.approx(why.score - float(f(docs)[0, 0]), abs=1e-3)
    assert sum(why.parts.values()) == pytest.approx(why.score, abs=1e-4)


def test_what_a_strategy_built_is_built_once_for_a_commit(index, monkeypatch):
    from hyperir.index.strategies.ivf import IVF

    built = []
    build = IVF.build
    monkeypatch.setattr(IVF, "build", staticmethod(lambda *given: built.append(1) or build(*given)))
    wanted = {"type": "ivf", "cells": 2, "probes": 2}
    first = index.search(["lazy dog"], strategy=wanted)
    assert [hit.id for hit in index.search(["lazy dog"], strategy=wanted)[0]] == [hit.id for hit in first[0]]
    assert len(built) == 1
    index.search(["lazy dog"], strategy={**wanted, "probes": 1})
    assert len(built) == 2
    index.add([{"id": "new", "text": "a lazy dog", "title": "", "length": 3}], show_progress=False)
    assert "new" in [hit.id for hit in index.search(["lazy dog"], k=99, strategy=wanted)[0]]
    assert len(built) == 3
