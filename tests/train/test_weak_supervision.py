"""Training SNRM under weak supervision: BM25 says which of two documents is better, and nobody else does."""

import json
import random

import pytest
from test_joint import log_of
from worlds import recipe_of

import hyperir
from hyperir.encode.lexical import LexicalModel
from hyperir.encode.snrm import snrm
from hyperir.train import train
from hyperir.train.data import open_training
from hyperir.train.teachers.opening import load_teacher
from hyperir.train.teaching import teach


@pytest.fixture(scope="module")
def weak(world, tmp_path_factory):
    """A start, and pairs of documents that BM25 has scored for queries without judgements."""
    folder = tmp_path_factory.mktemp("weak")
    collection = hyperir.open_collection(world / "data")
    texts = [row["text"] for row in collection.documents()]
    snrm(texts, embedding=16, window=3, hidden=(32,), latent=100).save_pretrained(folder / "start")
    words = LexicalModel("bm25", {"stop_words": "none"})
    words.fitted(words.encode_document(texts)).save_pretrained(folder / "bm25")
    drawn = random.Random(0)
    lines = []
    for query in collection.queries("train").values():
        items = [{"content": texts[i]} for i in drawn.sample(range(len(texts)), 6)]
        lines.append(json.dumps({"query": query, "items": items}) + "\n")
    (folder / "pairs.jsonl").write_text("".join(lines))
    training = open_training(str(folder / "pairs.jsonl"))
    teach(training, load_teacher([str(folder / "bm25")]), folder / "scores.jsonl", show_progress=False)
    return folder


def test_the_teacher_is_bm25(weak, world):
    teacher = load_teacher([str(weak / "bm25")])
    texts = [row["text"] for row in hyperir.open_collection(world / "data").documents()]
    words = LexicalModel.from_pretrained(weak / "bm25")
    f = words.encode_query(["fox dog", "engine"])
    expected = f(words.encode_document(texts[:5]))
    assert teacher(["fox dog", "engine"], [texts[:5], texts[:5]]) == [pytest.approx(row) for row in expected.tolist()]
    assert teacher(["fox"], [[]]) == [[]]
    assert teacher.fingerprint == load_teacher([str(weak / "bm25")]).fingerprint
    assert teacher.fingerprint != load_teacher([str(world / "model")]).fingerprint


def test_it_beats_its_start_with_fewer_terms(weak, world, tmp_path):
    recipe = recipe_of(
        world,
        tmp_path / "out",
        data={
            "type": "taught",
            "of": {"type": "hypencoder", "source": str(weak / "pairs.jsonl")},
            "scores": str(weak / "scores.jsonl"),
            "positive": "best",
        },
        model={"start": str(weak / "start")},
        regime={},
        batch={"queries": 32, "items": 6, "scored": "own"},
        losses=["hinge"],
        regularisers=[{"type": "l1", "weight": 0.002}],
        optimizer={"encoder_rate": 0.01},
        validation={"source": str(world / "data"), "split": "train", "every": 100},
        run={"steps": 100, "log": 10},
    )
    result = train(recipe)
    log = log_of(tmp_path / "out")
    before = next(line["eval_RR@10"] for line in log if "eval_RR@10" in line)
    assert result.measures["RR@10"] > before + 0.1
    kept = [line["terms_document"] for line in log if "terms_document" in line]
    assert kept[-1] < kept[0]
    assert hyperir.load(tmp_path / "out").kind == "sparse"
