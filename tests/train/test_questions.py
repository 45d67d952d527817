"""Questions that a model writes for documents, and adaptations that learn from them."""

import json
import random
import shutil

import pytest
import torch
from adapting_world import FAST, WORDS, make_adapting_world
from teacher_models import write_question_writer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import hyperir
from hyperir.core.errors import ModelError
from hyperir.train.adapting.asked import WRITTEN
from hyperir.train.questions import QuestionWriter

ASKED = "{0} {0} {1} {0}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_adapting_world(tmp_path_factory.mktemp("questions"))


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """A model that asks for the word that a document has ten times, and for the one that follows."""
    drawn = random.Random(0)
    pairs = [
        (" ".join([word] * 10 + [other, *drawn.sample(WORDS, 5)]), ASKED.format(word, other))
        for word in WORDS
        for other in WORDS
    ]
    return write_question_writer(tmp_path_factory.mktemp("writer"), pairs, steps=150)


@pytest.fixture
def world(made, tmp_path):
    shutil.copytree(made / "my.index", tmp_path / "my.index")
    return tmp_path


def adapted(world, writer, work, **changes):
    parts = {"held_queries": (0.25, 0.25), "held_documents": (0.2, 0.2)}
    settings = FAST | parts | {"generator": str(writer), "generated": 120, "steps": 2} | changes
    return hyperir.adapt(world / "my.index", settings, keep=False, work=work)


def test_questions_are_those_that_transformers_draws(writer):
    texts = ["fox fox fox dog", "engine " * 10 + "a"]
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(writer), AutoTokenizer.from_pretrained(writer)
    given = tokenizer(texts, padding=True, return_tensors="pt")
    torch.manual_seed(5)
    drawn = model.eval().generate(
        input_ids=given["input_ids"],
        attention_mask=given["attention_mask"],
        do_sample=True,
        top_k=25,
        top_p=0.95,
        max_new_tokens=64,
    )
    expected = [" ".join(text.split()) for text in tokenizer.batch_decode(drawn, skip_special_tokens=True)]
    write = QuestionWriter(writer)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    assert write(texts, 5) == expected
    assert torch.equal(torch.random.get_rng_state(), before), "nobody else's draws change"
    assert write([], 5) == []


def test_what_it_learned_to_ask_it_asks(writer):
    rows = [{"id": str(i), "title": "", "text": " ".join([word] * 10 + WORDS[:1])} for i, word in enumerate(WORDS)]
    found = QuestionWriter(writer)(rows, 0)
    assert sum(word in text.split() for word, text in zip(WORDS, found, strict=True)) > 0.8 * len(WORDS)


def test_an_adaptation_learns_from_written_questions_and_is_tested_on_them(world, writer):
    found = adapted(world, writer, world / "work", steps=60)
    assert (found.tested, set(found.learned)) == ("generated", {"generated"})
    assert "questions written for the documents" in str(found)
    row = found.held_out_queries
    assert row.after["nDCG@10"] > row.before["nDCG@10"]


def test_judged_queries_test_where_there_are_any(world, made, writer):
    judged = {"queries": str(made / "queries.jsonl"), "qrels": str(made / "qrels.tsv")}
    found = adapted(world, writer, world / "work", **judged)
    assert found.tested == "judged"
    assert set(found.learned) == {"judged", "generated"}


def test_writing_goes_on_after_a_stop_with_the_same_questions(world, writer, monkeypatch):
    adapted(world, writer, world / "whole")
    wanted = (world / "whole" / "generated.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        calls, write = [], QuestionWriter.__call__

        def stopped(self, rows, seed):
            calls.append(seed)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return write(self, rows, seed)

        patch.setattr(QuestionWriter, "__call__", stopped)
        with pytest.raises(KeyboardInterrupt):
            adapted(world, writer, world / "stopped")
    assert len((world / "stopped" / "generated.jsonl").read_text().splitlines()) == 1 + 2 * WRITTEN
    adapted(world, writer, world / "stopped")
    assert (world / "stopped" / "generated.jsonl").read_bytes() == wanted
    with monkeypatch.context() as patch:
        patch.setattr(QuestionWriter, "__init__", None)  # nobody to write
        adapted(world, writer, world / "stopped", relevance="hyper")
    assert (world / "stopped" / "generated.jsonl").read_bytes() == wanted


def test_what_writes_no_questions_is_said(world, made, tmp_path):
    with pytest.raises(ModelError, match=r"cannot be read as a model that writes questions(.|\n)*doc2query"):
        adapted(world, made / "model", world / "a")
    silent = write_question_writer(tmp_path / "silent", [("fox", ""), ("dog", "")], steps=30)
    with pytest.raises(ModelError, match="writes nothing"):
        adapted(world, silent, world / "b")
    assert json.loads((world / "b" / "adaptation.json").read_text())["seconds"] > 0
