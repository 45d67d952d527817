"""Examples that are made: by a teacher's groups, by changing texts, and of documents alone."""

import json
import math
import random

import pytest
import torch
from worlds import HYPER, recipe_of

import hyperir
from hyperir.core.errors import CollectionError, InputError
from hyperir.train import train
from hyperir.train.augmentations import AUGMENTATIONS
from hyperir.train.data import SETS
from hyperir.train.data.spans import sentences
from hyperir.train.losses import LOSSES
from hyperir.train.recipe import Recipe

TEXT = "one two three four five six seven eight nine ten"


def changed(augmentation, text, seeds=200):
    change = AUGMENTATIONS.build(augmentation)
    return [change(text, random.Random(seed)) for seed in range(seeds)]


def test_a_crop_is_a_span_of_the_length_that_was_drawn():
    found = changed({"type": "crop", "shortest": 0.2, "longest": 0.5, "words": 1}, TEXT)
    assert all(each in TEXT for each in found)
    assert {len(each.split()) for each in found} == {3, 4, 5}
    assert {each.split()[0] for each in found} >= {"one", "six", "eight"}
    assert set(changed({"type": "crop", "shortest": 0.0, "longest": 0.1, "words": 4}, "a b c")) == {"a b c"}
    with pytest.raises(InputError, match="shortest is larger"):
        AUGMENTATIONS.build({"type": "crop", "shortest": 0.6, "longest": 0.5})


def test_words_are_dropped_and_repeated_at_the_rate():
    for kind, count in (("delete", 7), ("repeat", 13)):
        found = changed({"type": kind, "rate": 0.3}, TEXT)
        assert sum(len(each.split()) for each in found) / len(found) == pytest.approx(count, abs=0.3)
        for each in found:
            assert sorted(set(each.split()), key=TEXT.split().index) == list(dict.fromkeys(each.split())), "in order"
    assert all(len(each.split()) == 1 for each in changed({"type": "delete", "rate": 1.0}, TEXT))
    assert changed({"type": "repeat", "rate": 1.0}, "a b", 1) == ["a a b b"]


def test_typing_errors_are_those_of_the_evaluation():
    found = changed({"type": "typos", "kinds": ["double"], "errors": 2}, "search engine")
    assert all(len(each) == len("search engine") + 2 for each in found)
    with pytest.raises(InputError, match="swop"):
        AUGMENTATIONS.build({"type": "typos", "kinds": ["swop"]})


def make_columns(folder, rows=3):
    lines = [
        {
            "query": f"find the number {i} here",
            "positive": f"text {i} " + f"{TEXT} and then " * 3,
            "negative": f"other {i}",
        }
        for i in range(rows)
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"type": "columns", "source": str(path)}


def test_copies_stand_beside_the_examples(tmp_path):
    base = SETS.build(make_columns(tmp_path))
    config = {"type": "augmented", "of": make_columns(tmp_path), "queries": ["delete"], "copies": 2, "seed": 3}
    made = SETS.build(config | {"queries": [{"type": "delete", "rate": 0.5}]})
    assert len(made) == 9
    for i in range(9):
        own, origin = made[i], base[i // 3]
        assert (own.items, own.labels[1:]) == (origin.items, origin.labels[1:])
        assert own.query == origin.query if i % 3 == 0 else set(own.query.split()) <= set(origin.query.split())
    assert len({made[i].query for i in range(9)}) > 6
    assert [made[i].query for i in range(9)] == [
        SETS.build(config | {"queries": [{"type": "delete", "rate": 0.5}]})[i].query for i in range(9)
    ]
    other = SETS.build(config | {"queries": [{"type": "delete", "rate": 0.5}], "seed": 4})
    assert other.fingerprint != made.fingerprint != base.fingerprint
    assert [other[i].query for i in range(9)] != [made[i].query for i in range(9)]
    assert len(SETS.build(config | {"original": False})) == 6
    with pytest.raises(InputError, match="what is changed"):
        SETS.build({"type": "augmented", "of": make_columns(tmp_path)})


def test_changed_documents_are_other_documents_and_all_of_them_relevant(tmp_path):
    made = SETS.build({"type": "augmented", "of": make_columns(tmp_path), "documents": ["crop"], "copies": 2})
    whole, one, two = made[0], made[1], made[2]
    assert len({whole.items, one.items, two.items}) == 3
    assert {whole.items[0], one.items[0], two.items[0]} <= whole.positives == one.positives == two.positives
    assert one.items[1] not in one.positives
    texts = [made.text(each.items[0]) for each in (whole, one, two)]
    plain = [each if isinstance(each, str) else each["text"] for each in texts]
    assert all(each in plain[0] for each in plain)
    assert len(set(plain)) == 3
    assert made.text(one.items[0]) == texts[1], "the same whenever it is asked for"


def make_corpus(folder):
    rows = [
        {"id": "a", "title": "Numbers", "text": "One is one. Two is one and one! Three is more? " + TEXT},
        {"id": "b", "text": TEXT + " " + TEXT},
        {"id": "short", "text": "too short"},
    ]
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_two_spans_of_one_document_are_a_pair(tmp_path):
    made = SETS.build({"type": "spans", "source": make_corpus(tmp_path), "pairs": 3, "words": 3})
    assert len(made) == 6, "what is too short is left out"
    for i in range(6):
        example = made[i]
        text = made.text(example.items[0])["text"]
        source = made.documents["ab"[i // 3]]["text"]
        assert example.query in source
        assert text in source
        assert 3 <= len(text.split()) <= max(3, math.ceil(0.5 * len(source.split())))
        assert example.items[0] in example.positives
        assert len(example.positives) == 3, "all spans of the document"
        assert made[i] == example or math.isnan(example.labels[0])
    again = SETS.build({"type": "spans", "source": make_corpus(tmp_path), "pairs": 3, "words": 3})
    assert [again[i].query for i in range(6)] == [made[i].query for i in range(6)]
    with pytest.raises(CollectionError, match="long enough"):
        SETS.build({"type": "spans", "source": make_corpus(tmp_path), "words": 90})


def test_a_sentence_stands_against_the_rest(tmp_path):
    assert sentences("One is 1.5. Two!  Three? x") == ["One is 1.5.", "Two!", "Three?", "x"]
    config = {"type": "spans", "source": make_corpus(tmp_path), "kind": "cloze", "pairs": 40, "words": 2}
    made = SETS.build(config | {"stays": 0.0})
    assert len(made) == 40, "a document of one sentence has no rest"
    source = sentences(made.documents["a"]["text"])
    assert {made[i].query for i in range(40)} == set(source)
    for i in range(40):
        row = made.text(made[i].items[0])
        assert row["title"] == "Numbers"
        assert row["text"] == " ".join(each for each in source if each != made[i].query)
    stays = SETS.build(config | {"stays": 0.5})
    kept = [stays[i].query in stays.text(stays[i].items[0])["text"] for i in range(40)]
    assert 8 < sum(kept) < 32


def test_pretraining_needs_documents_alone(world, tmp_path):
    """The head over an index, whose documents the spans are of; and both sides, over spans that were changed."""
    data = {"type": "spans", "source": str(world / "data" / "corpus.jsonl"), "kind": "whole", "pairs": 2, "words": 2}
    head = recipe_of(
        world,
        tmp_path / "head",
        data=data,
        model={"start": str(world / "model"), "relevance": HYPER},
        batch={"queries": 16, "items": 1},
        run={"steps": 3, "log": 1},
        validation={"hold_out": 0.2, "every": 3},
    )
    result = train(head)
    assert (result.steps, set(result.measures)) == (3, {"RR@10", "nDCG@10"})
    crops = {"type": "augmented", "of": data | {"kind": "crops"}, "queries": ["typos"], "original": False}
    both = recipe_of(
        world, tmp_path / "both", data=crops, regime={}, validation=None, batch={"queries": 16}, run={"steps": 3}
    )
    assert train(both).steps == 3


def make_taught(folder, scores):
    items = [
        [{"id": f"q{q}d{j}", "content": f"text {q} {j}", "score": s} for j, s in enumerate(own)]
        for q, own in enumerate(scores)
    ]
    rows = [{"query": {"content": f"query {q}"}, "items": own} for q, own in enumerate(items)]
    path = folder / "taught.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"type": "hypencoder", "source": str(path)}


def slow_groups(scores, relevant, among):
    """Who may be in which group, from the definition."""
    ranked = sorted(range(len(scores)), key=lambda j: (-scores[j], j))
    return ranked[:relevant], set(ranked[relevant : relevant + among]), set(ranked[relevant + among :])


def test_groups_are_those_of_the_teachers_ranking(tmp_path):
    draw = random.Random(0)
    scores = [[draw.choice([1.0, 2.0, 3.5, draw.random()]) for _ in range(30)] for _ in range(5)]
    config = {"type": "groups", "of": make_taught(tmp_path, scores), "relevant": 4, "hard": 3, "among": 8, "easy": 5}
    made = SETS.build(config)
    for q, own in enumerate(scores):
        best, near, far = slow_groups(own, 4, 8)
        example = made[q]
        numbers = [int(id_.split("d")[1]) for id_ in example.items]
        assert numbers[:4] == best
        assert example.labels == (1.0, 1 / 2, 1 / 3, 1 / 4, *[-0.25] * 3, *[-0.5] * 5)
        assert set(numbers[4:7]) <= near
        assert set(numbers[7:]) <= far
        assert len(set(numbers)) == 12
        assert set(example.items[:4]) <= example.positives, "no negatives of others"
        assert made.text(example.items[0])
    assert [made[q].items for q in range(5)] == [SETS.build(config)[q].items for q in range(5)]
    assert [made[q].items for q in range(5)] != [SETS.build(config | {"seed": 1})[q].items for q in range(5)]
    assert made.fingerprint != SETS.build(config | {"relevant": 5}).fingerprint
    few = SETS.build(config | {"hard": 90, "easy": 90, "relevant": 30})
    assert len(few[0].items) == 30
    with pytest.raises(CollectionError, match="no teacher's scores"):
        SETS.build({"type": "groups", "of": make_columns(tmp_path)})[0]


def slow_drd(scores, labels):
    """CL-DRD's loss of one query: every pair by itself, weighted by the difference of 1 / present rank."""
    order = sorted(range(len(scores)), key=lambda j: -scores[j])
    rank = {j: place + 1 for place, j in enumerate(order)}
    return sum(
        abs(1 / rank[i] - 1 / rank[j]) * math.log1p(math.exp(scores[j] - scores[i]))
        for i in range(len(scores))
        for j in range(len(scores))
        if labels[i] > labels[j]
    )


def test_the_loss_of_groups_is_that_of_the_paper():
    torch.manual_seed(0)
    scores = torch.randn(2, 2, 6, dtype=torch.float64)
    labels = torch.tensor(
        [[1, 0.5, -0.25, -0.25, -0.5, -0.5], [1, 0.5, 1 / 3, -0.25, -0.25, -0.5]], dtype=torch.float64
    )
    loss = LOSSES.build({"type": "lambdarank", "measure": "rr", "gain": "unit"})(scores, labels)
    expected = sum(slow_drd(scores[q, q].tolist(), labels[q].tolist()) for q in range(2)) / 2
    assert loss.item() == pytest.approx(expected)


def test_a_curriculum_of_groups_that_grow(world, tmp_path):
    """Three stages, as in the paper; the relevant group grows."""
    draw = random.Random(1)
    scores = [[10.0 - j + draw.random() for j in range(12)] for _ in range(32)]
    recipe = Recipe.parse(
        {
            "output": str(tmp_path / "out"),
            "data": {
                "type": "groups",
                "of": make_taught(tmp_path, scores),
                "relevant": 2,
                "hard": 3,
                "among": 4,
                "easy": 2,
            },
            "model": {"start": str(world / "model")},
            "batch": {"queries": 8, "items": None, "scored": "own"},
            "losses": [{"type": "lambdarank", "measure": "rr", "gain": "unit"}],
            "run": {"steps": 2, "log": 1},
            "stages": [
                {},
                {"data": {"relevant": 4}},
                {"data": {"relevant": 8, "hard": 2}, "optimizer": {"encoder_rate": 1e-5}},
            ],
        }
    )
    assert [part.data.relevant for part in recipe.parts()] == [2, 4, 8]
    assert train(recipe).steps == 6
    assert hyperir.load(tmp_path / "out").trained
