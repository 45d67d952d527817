"""Training the query side over an index's vectors."""

import json

import pytest
import torch
from worlds import HYPER, recipe_of

import hyperir
from hyperir.core.errors import FingerprintError, InputError
from hyperir.train import train
from hyperir.train.learner import build_model


def test_a_head_learns_over_states_computed_once(world, tmp_path):
    recipe = recipe_of(
        world,
        tmp_path / "out",
        model={"start": str(world / "model"), "relevance": HYPER},
        validation={"source": str(world / "data"), "split": "train", "every": 40},
        run={"steps": 80, "log": 1},
    )
    result = train(recipe)
    log = [json.loads(line) for line in (tmp_path / "out" / "training" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert len(losses) == result.steps == 80
    assert sum(losses[-3:]) / 3 < 0.5 * losses[0]
    before = next(line["eval_RR@10"] for line in log if "eval_RR@10" in line)
    assert result.measures["RR@10"] > before + 0.2, "of the queries learned from"
    model = hyperir.load(tmp_path / "out")
    start = hyperir.load(world / "model")
    assert (model.fingerprint, model.trained, model.shared) == (start.fingerprint, True, True)
    hyperir.Index.open(world / "my.index", model).search(["fox dog engine"])
    assert "RR@10" in (tmp_path / "out" / "README.md").read_text()
    assert (tmp_path / "out" / "training" / "curves.png").stat().st_size > 1000
    assert not (tmp_path / "out" / "training" / "checkpoints").exists()


@pytest.mark.parametrize("relevance", ["dot", HYPER], ids=["dot", "hyper"])
def test_the_queries_transformer_learns_and_the_documents_vectors_stay(world, tmp_path, relevance):
    recipe = recipe_of(
        world,
        tmp_path / "out",
        model={"start": str(world / "model"), "relevance": relevance},
        regime={"index": str(world / "my.index")},
        losses=[{"type": "scaled", "of": "cross_entropy", "temperature": 0.05}],
        optimizer={"head_rate": 1e-3, "encoder_rate": 2e-3},
        run={"steps": 25, "log": 1},
    )
    train(recipe)
    model, start = hyperir.load(tmp_path / "out"), hyperir.load(world / "model")
    assert model.fingerprint == start.fingerprint, "an index of the one serves the other"
    assert not model.shared
    changed = zip(model.query.backbone.parameters(), start.query.backbone.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in changed)
    log = [json.loads(line) for line in (tmp_path / "out" / "training" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses[-1] < 0.9 * losses[0]


def test_states_kept_are_the_states_computed(world, tmp_path):
    from hyperir.train.cache import Cache
    from hyperir.train.sources import compute_states

    model = hyperir.load(world / "model")
    texts = ["fox", "the quick brown fox jumps over", "dog engine", ""]
    expected = model.states(texts)
    for cache in (Cache(), Cache(tmp_path), Cache(tmp_path)):
        for dtype, limit in (("float32", 1e-5), ("float16", 5e-3)):
            states = compute_states(model.query, texts, cache, dtype)(torch.tensor([3, 1, 0]).numpy())
            wanted = expected.tokens[[3, 1, 0]] * expected.mask[[3, 1, 0]][..., None]
            assert (states.tokens - wanted).abs().max() < limit
            assert torch.equal(states.mask, expected.mask[[3, 1, 0]])
            torch.testing.assert_close(states.pooled, expected.pooled[[3, 1, 0]])


def test_states_too_large_for_float16_are_refused(world):
    from hyperir.train.cache import Cache
    from hyperir.train.sources import compute_states

    model = hyperir.load(world / "model")
    with torch.no_grad():
        model.query.backbone.transformer.encoder.layer[-1].output.LayerNorm.weight.fill_(1e6)
    with pytest.raises(InputError, match=r"too large for float16"):
        compute_states(model.query, ["fox dog"], Cache())


def test_an_index_of_another_model_is_refused(world, tmp_path):
    from tiny_models import make_model

    make_model("dot", seed=7).save_pretrained(tmp_path / "other")
    with pytest.raises(FingerprintError, match="made by another model"):
        train(recipe_of(world, tmp_path / "out", model={"start": str(tmp_path / "other"), "relevance": HYPER}))


def test_documents_that_the_index_lacks_are_named(world, tmp_path):
    model = hyperir.load(world / "model")
    index = hyperir.Index.create(tmp_path / "small.index", model)
    index.add([{"id": "d0", "text": "fox"}], show_progress=False)
    regime = {"index": str(tmp_path / "small.index"), "queries": "head"}
    recipe = recipe_of(
        world,
        tmp_path / "out",
        regime=regime,
        model={"start": str(world / "model"), "relevance": HYPER},
        validation=None,
    )
    with pytest.raises(InputError, match=r"lacks 59 of the 60 documents to learn from"):
        train(recipe)


def test_nothing_left_to_learn_is_said(world, tmp_path):
    with pytest.raises(InputError, match="nothing is left to learn"):
        build_model(recipe_of(world, tmp_path))


def test_held_out_documents_are_in_no_batch(world, tmp_path):
    from hyperir.train.data import SETS
    from hyperir.train.examples import gather
    from hyperir.train.validation import held_out

    recipe = recipe_of(world, tmp_path, validation={"hold_out": 0.2, "every": 10})
    training_set = SETS.build(recipe.data)
    examples = gather(training_set)
    task, left, held = held_out(examples, training_set, None, recipe.validation, 0)
    judged = {document for grades in task.qrels.values() for document in grades}
    assert len(held) == 12
    assert {left.ids[i] for i in held} <= judged
    assert len({left.ids[i] for i in left.items}) == 48
    assert set(task.queries.values()).isdisjoint(left.queries)
    assert set(task.queries.values()) | set(left.queries) == set(examples.queries)


def test_an_index_of_terms_is_refused(world, tmp_path):
    hyperir.Index.create(tmp_path / "words.index", "bm25")
    recipe = recipe_of(world, tmp_path / "out", regime={"index": str(tmp_path / "words.index")})
    with pytest.raises(InputError, match="holds weights of terms"):
        train(recipe)
