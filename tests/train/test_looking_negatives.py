"""Negatives that a training looks for as it goes: what stands beside the positives is what their papers say."""

import json

import pytest
import torch
from test_joint import log_of
from worlds import HYPER, interrupt_at, recipe_of

import hyperir
from hyperir.core.errors import InputError
from hyperir.encode.texts import query_text
from hyperir.train import train
from hyperir.train.drawing import Negatives
from hyperir.train.negatives.denoised import Remembered
from hyperir.train.negatives.pool import Pool

SCALED = [{"type": "scaled", "of": "cross_entropy", "temperature": 0.05}]
REGIMES = {"joint": {}, "queries": {"queries": "all"}, "head": {"queries": "head"}}


def recipe(world, output, regime, negatives, **changes):
    index = {} if regime == "joint" else {"index": str(world / "my.index")}
    parts = {
        "model": {"start": str(world / "model"), "relevance": HYPER},
        "regime": index | REGIMES[regime],
        "losses": SCALED,
        "negatives": negatives,
        "optimizer": {"encoder_rate": 1e-3, "head_rate": 1e-3, "warmup": 0},
        "validation": None,
        "run": {"steps": 6, "log": 1},
    }
    return recipe_of(world, output, **(parts | changes))


@pytest.fixture
def drawn(monkeypatch):
    """(step, query, ids) of every item list, and what the model itself finds best at that moment."""
    noted = []
    call = Negatives.__call__

    def noting(self, keys):
        found = call(self, keys)
        ids = self._examples.ids
        for (_, example), (numbers, _) in zip(keys, found, strict=True):
            text = self._examples.queries[example]
            best = self._search([text], len(ids))[0]
            noted.append((self._retriever.step, text, [ids[n] for n in numbers], best))
        return found

    monkeypatch.setattr(Negatives, "__call__", noting)
    return noted


@pytest.mark.parametrize("regime", REGIMES)
def test_adore_takes_the_top_of_the_model_that_learns(world, tmp_path, drawn, regime):
    train(recipe(world, tmp_path / "out", regime, {"type": "dynamic"}))
    assert len({step for step, *_ in drawn}) == 6
    for _, _, (positive, *negatives), best in drawn:
        assert negatives == [id_ for id_ in best if id_ != positive][:3]
    tops = {}
    for step, text, _, best in drawn:
        tops.setdefault(text, {})[step] = best
    assert any(len({tuple(best) for best in seen.values()}) > 1 for seen in tops.values()), "it learns"


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(
    "negatives", [{"type": "static", "depth": 12}, {"type": "refreshed", "depth": 12, "every": 3}], ids=["star", "ance"]
)
def test_star_and_ance_take_the_top_of_the_last_look(world, tmp_path, monkeypatch, drawn, regime, negatives):
    looked = []
    search = Negatives._search

    def noting(self, texts, k):
        found = search(self, texts, k)
        if k < len(self._examples.ids):  # not the fixture's
            looked.append((self._retriever.step, dict(zip(texts, found, strict=True))))
        return found

    monkeypatch.setattr(Negatives, "_search", noting)
    train(recipe(world, tmp_path / "out", regime, negatives))
    assert sorted({step for step, _ in looked}) == ([0] if negatives["type"] == "static" else [0, 3])
    for step, text, (positive, *chosen), _ in drawn:
        last = max(at for at, _ in looked if at <= step)
        top = next(found[text] for at, found in looked if at == last and text in found)
        assert set(chosen) <= set(top) - {positive}


@pytest.mark.parametrize(("regime", "chunk"), [("joint", 400), ("head", None)])
def test_adore_goes_on_after_a_stop_as_if_there_had_been_none(world, tmp_path, monkeypatch, regime, chunk):
    def made(output):
        batch = {"queries": 16, "items": 4, "accumulate": 2, "chunk": chunk}
        return recipe(world, output, regime, {"type": "dynamic"}, batch=batch)

    train(made(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupt_at(2, patch)
        with pytest.raises(KeyboardInterrupt):
            train(made(tmp_path / "parts"))
    train(made(tmp_path / "parts"))
    whole, parts = ([line["loss"] for line in log_of(tmp_path / n) if "loss" in line] for n in ("whole", "parts"))
    assert len(whole) == 6
    assert parts == pytest.approx(whole, abs=1e-5)


def test_vectors_that_stay_are_read_once(world, tmp_path, monkeypatch):
    read = []
    documents = Negatives._documents
    monkeypatch.setattr(Negatives, "_documents", lambda self: read.append(1) or documents(self))
    train(recipe(world, tmp_path / "out", "head", {"type": "dynamic"}))
    assert len(read) == 1
    narrow = {"start": str(world / "model"), "relevance": HYPER, "project": 16}
    train(recipe(world, tmp_path / "narrow", "queries", {"type": "dynamic"}, model=narrow))
    assert len(read) == 1 + 6, "a learned projection changes them in every step"


def test_rocketqa_asks_a_teacher_while_it_trains(world, tmp_path, drawn):
    teacher = hyperir.load(world / "model")
    teacher.trained = True
    teacher.save_pretrained(tmp_path / "teacher")
    rows = {row["id"]: row for row in hyperir.open_collection(world / "data").documents()}
    documents = dict(zip(rows, teacher.encode_document(list(rows.values())).vectors, strict=True))
    below = float(torch.quantile(torch.stack(list(documents.values())) @ documents["d0"], 0.6))
    of = {"type": "refreshed", "every": 2, "depth": 30}
    negatives = {"type": "denoised", "of": of, "below": below, "teachers": [str(tmp_path / "teacher")]}
    train(recipe(world, tmp_path / "out", "head", negatives))
    scores = [
        float(teacher.encode_query([query_text(text)])(teacher.encode_document([rows[id_] for id_ in ids]))[0].max())
        for _, text, (_, *ids), _ in drawn
        if ids
    ]
    assert scores
    assert max(scores) < below + 1e-5
    record = (tmp_path / "out" / "training" / "recipe.yaml").read_text()
    assert json.dumps(str(tmp_path / "teacher")).strip('"') in record


def test_a_teacher_is_asked_once_for_a_pair(monkeypatch):
    asked = []

    def teacher(queries, documents):
        asked.append((queries, documents))
        return [[float(len(text)) for text in documents[0]]]

    score = Remembered(teacher, Pool(["a", "bb"], text=lambda id_: id_))
    assert score("q", ["bb", "a"]) == [2.0, 1.0]
    assert score("q", ["a"]) == [1.0]
    assert score("p", ["a"]) == [1.0]
    assert len(asked) == 2
    monkeypatch.setattr("hyperir.train.negatives.denoised.MOST", 3)
    assert score("r", ["a", "bb"]) == [1.0, 2.0]
    assert len(score._known) == 2
    with pytest.raises(InputError, match="reads texts"):
        Remembered(teacher, Pool(["a"]))
