"""Teachers and what they write."""

import json

import pytest
import torch
from teacher_models import Words, write_cross_encoder
from tiny_models import HYPER, make_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hyperir.core.errors import InputError, ModelError
from hyperir.train.data import SETS, open_training
from hyperir.train.teachers.cross_encoder import CrossEncoder
from hyperir.train.teachers.ensemble import Ensemble
from hyperir.train.teachers.opening import load_teacher
from hyperir.train.teachers.retriever import RetrieverTeacher
from hyperir.train.teaching import BLOCK, teach

QUERIES = ["quick fox", "lazy dog over"]
DOCUMENTS = [["the quick brown fox", {"text": "a dog", "title": "fox"}, "a"], ["search engine ranks documents"]]


@pytest.fixture
def training(tmp_path):
    lines = [
        {"query": f"fox dog {i}", "items": [{"content": f"fox {i}"}, {"content": f"dog fox {i}"}, {"content": "x"}]}
        for i in range(3 * BLOCK + 5)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("labels", [1, 2])
def test_a_cross_encoders_scores_are_those_of_transformers(tmp_path, labels):
    folder = write_cross_encoder(tmp_path, labels)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    scores = CrossEncoder(folder, batch_size=3)(QUERIES, DOCUMENTS)
    for query, documents, own in zip(QUERIES, DOCUMENTS, scores, strict=True):
        for document, score in zip(documents, own, strict=True):
            text = document if isinstance(document, str) else f"{document['title']}\n{document['text']}"
            with torch.no_grad():
                logits = model(**tokenizer(query, text, return_tensors="pt")).logits[0]
            expected = logits[0] if labels == 1 else logits[1] - logits[0]
            assert score == pytest.approx(expected.item(), abs=1e-5)
    assert len({round(score, 4) for own in scores for score in own}) == 4


def test_long_pairs_are_cut_and_empty_ones_are_scored(tmp_path):
    teacher = CrossEncoder(write_cross_encoder(tmp_path), max_length=16)
    scores = teacher(["fox", "dog"], [["the dog " * 500, ""], []])
    assert len(scores[0]) == 2
    assert scores[1] == []
    assert teacher.fingerprint != CrossEncoder(tmp_path).fingerprint


def test_classifiers_of_another_kind_are_refused(tmp_path):
    with pytest.raises(ModelError, match="1 or 2 outputs"):
        CrossEncoder(write_cross_encoder(tmp_path / "three", 3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="cannot be read as a cross-encoder"):
        CrossEncoder(tmp_path / "empty")


def test_pickled_weights_are_refused(tmp_path):
    folder = write_cross_encoder(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError):
        CrossEncoder(folder)


def test_a_model_teaches_what_its_function_says(tmp_path):
    model = make_model(HYPER)
    model.trained = True
    model.save_pretrained(tmp_path)
    scores = load_teacher([str(tmp_path)])(QUERIES, DOCUMENTS)
    flat = [document for own in DOCUMENTS for document in own]
    with torch.no_grad():
        all_scores = model.encode_query(QUERIES)(model.encode_document(flat))
    assert scores[0] == pytest.approx(all_scores[0, :3].tolist(), abs=1e-5)
    assert scores[1] == pytest.approx(all_scores[1, 3:].tolist(), abs=1e-5)


def test_a_models_vectors_are_remembered(monkeypatch):
    model, asked = make_model("dot"), []
    encode = model.encode_document
    monkeypatch.setattr(model, "encode_document", lambda docs, **more: asked.append(len(docs)) or encode(docs, **more))
    expected = RetrieverTeacher(model)(QUERIES, DOCUMENTS)
    small = RetrieverTeacher(model, remember=4)
    for _ in range(2):
        for got, own in zip(small(QUERIES, DOCUMENTS), expected, strict=True):
            assert got == pytest.approx(own, abs=1e-5)
    assert small(QUERIES, [["a", "a"], []])[1] == []
    assert asked == [4, 4, 4, 1]
    large = RetrieverTeacher(model)
    large(QUERIES, DOCUMENTS)
    large(QUERIES, DOCUMENTS)
    assert asked[4:] == [4, 0]


def test_an_untrained_model_does_not_teach(tmp_path):
    make_model(HYPER).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="learned nothing"):
        load_teacher([str(tmp_path)])


def test_an_ensemble_is_the_weighted_sum(tmp_path):
    folders = [str(write_cross_encoder(tmp_path / str(seed), seed=seed)) for seed in range(2)]
    one, two = (load_teacher([folder])(QUERIES, DOCUMENTS) for folder in folders)
    both = load_teacher(folders, [0.25, 2.0])(QUERIES, DOCUMENTS)
    assert both[0] == pytest.approx([0.25 * a + 2 * b for a, b in zip(one[0], two[0], strict=True)])
    mean = load_teacher(folders)(QUERIES, DOCUMENTS)
    assert mean[1] == pytest.approx([(a + b) / 2 for a, b in zip(one[1], two[1], strict=True)])
    assert load_teacher(folders).fingerprint != load_teacher(folders, [0.25, 2.0]).fingerprint
    with pytest.raises(InputError, match="weights"):
        load_teacher(folders, [1.0])
    with pytest.raises(InputError, match="no teacher"):
        Ensemble([])


def test_scores_become_the_labels_of_a_taught_set(training, tmp_path):
    scores = tmp_path / "scores.jsonl"
    training_set = open_training(training)
    assert teach(training_set, Words(), scores) == len(training_set)
    of = {"type": "hypencoder", "source": str(training)}
    taught = SETS.build({"type": "taught", "of": of, "scores": str(scores)})
    assert all(taught[i].labels == (2.0, 3.0, 0.0) for i in range(len(training_set)))
    assert SETS.build({"type": "taught", "of": of, "scores": str(scores), "positive": "best"})[0].labels[0] == 3.0


def test_a_stop_loses_one_block_and_the_rest_goes_on(training, tmp_path):
    training_set, whole, stopped = open_training(training), tmp_path / "whole.jsonl", tmp_path / "stopped.jsonl"
    teach(training_set, Words(), whole)
    with pytest.raises(KeyboardInterrupt) as raised:
        teach(training_set, Words(stop_after=2), stopped)
    assert f"{2 * BLOCK} of {len(training_set)}" in raised.value.__notes__[0]
    again = Words()
    assert teach(training_set, again, stopped) == len(training_set) - 2 * BLOCK
    assert len(again.calls) == 2
    assert stopped.read_bytes() == whole.read_bytes()
    assert teach(training_set, again, stopped) == 0


def test_other_teachers_do_not_go_on_with_the_file(training, tmp_path):
    teach(open_training(training), Words(), tmp_path / "scores.jsonl")
    other = Words()
    other.fingerprint = "other"
    with pytest.raises(InputError, match="teacher 'other'"):
        teach(open_training(training), other, tmp_path / "scores.jsonl")


def test_scores_that_are_no_numbers_are_refused(training, tmp_path):
    broken = Words()
    broken.score = lambda query, document: float("nan")
    with pytest.raises(InputError, match="example 0"):
        teach(open_training(training), broken, tmp_path / "scores.jsonl")
