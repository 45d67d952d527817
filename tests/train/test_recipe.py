"""Recipes: read strictly, changed by hand, and the official one followed."""

import json
from pathlib import Path

import pytest
import torch
from tiny_models import LINE, make_bert, write_tokenizer
from worlds import recipe_of

import hyperir
from hyperir.core.errors import ConfigError, InputError
from hyperir.train import train
from hyperir.train.reading import read_recipe, write_recipe

OFFICIAL = Path(__file__).parents[2] / "recipes" / "hypencoder.yaml"


def test_a_recipe_is_read_with_changes_and_written_whole(tmp_path):
    changes = ["run.steps=20", "losses.0.weight=0.5", "batch.items=null", "validation.hold_out=0.1"]
    recipe = read_recipe(OFFICIAL, changes)
    assert (recipe.run.steps, recipe.losses[0].weight, recipe.batch.items) == (20, 0.5, None)
    assert recipe.validation.hold_out == 0.1
    write_recipe(recipe, tmp_path / "again.yaml")
    assert read_recipe(tmp_path / "again.yaml") == recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("run.stepss=3", r"unknown key 'run.stepss'[\s\S]*did you mean 'steps'"),
        ("optimizer.encoder_rate=fast", "wrong value for 'optimizer.encoder_rate'"),
        ("steps", "changes nothing"),
        ("losses.7.weight=1", r"leads nowhere[\s\S]*from 0 to 1"),
        ("output.a=1", "leads nowhere"),
        ("data.type=jsonl", "no training sets member named 'jsonl'"),
        ("regime.queries=head", "needs an index"),
        ("model.relevance=hypre", r"did you mean 'hyper'"),
    ],
)
def test_what_cannot_be_followed_is_named(change, message):
    with pytest.raises(InputError, match=message):
        read_recipe(OFFICIAL, [change])


def test_a_file_that_is_no_recipe_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot read the recipe"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    with pytest.raises(ConfigError, match="is no recipe"):
        read_recipe(tmp_path / "list.yaml")


def test_the_official_recipe_runs_and_is_saved_in_the_authors_format(tmp_path):
    words = LINE.split()
    rows = [
        {
            "query": {"content": f"{words[i]} {words[i + 1]}"},
            "items": [
                {"id": f"d{i}-{j}", "content": " ".join(words[i + j : i + j + 3]), "score": 5.0 - j} for j in range(4)
            ],
        }
        for i in range(8)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    make_bert(width=128).save_pretrained(tmp_path / "bert")
    write_tokenizer(tmp_path / "bert")
    recipe = read_recipe(
        OFFICIAL,
        [
            f"output={tmp_path / 'out'}",
            f"data.source={tmp_path / 'data.jsonl'}",
            f"model.start={tmp_path / 'bert'}",
            "model.document_length=32",
            "model.relevance.qnet.hidden=[128,128,128,128,128,128]",
            "batch.queries=4",
            "batch.items=3",
            "run.steps=20",
            "run.log=1",
            "run.precision=float32",
            "optimizer={warmup: 0, encoder_rate: 3.0e-4, head_rate: 3.0e-4}",
        ],
    )
    train(recipe)
    log = [json.loads(line) for line in (tmp_path / "out" / "training" / "log.jsonl").read_text().splitlines()]
    losses = [line for line in log if "loss" in line]
    assert len(losses) == 20
    assert all(
        line["loss"] == pytest.approx(line["loss_margin_mse"] + line["loss_cross_entropy"], rel=1e-4) for line in losses
    )
    ours, theirs = hyperir.load(tmp_path / "out"), hyperir.load(tmp_path / "out" / "official")
    texts, queries = ["the quick fox", "a search engine", "dog"], ["fox", "ranks documents"]
    expected = ours.encode_query(queries)(ours.encode_document(texts))
    assert expected.std() > 0
    torch.testing.assert_close(theirs.encode_query(queries)(theirs.encode_document(texts)), expected)


def test_what_the_authors_format_cannot_say_is_refused(world, tmp_path):
    from hyperir.core.errors import ModelError
    from hyperir.encode.official_writing import write_official

    with pytest.raises(ModelError, match="official format") as caught:
        write_official(hyperir.load(world / "model"), tmp_path)
    assert "relevance of type hyper" in caught.value.expected


def test_the_verb_trains(world, tmp_path):
    import yaml
    from worlds import HYPER

    from hyperir.cli import main

    recipe = recipe_of(world, tmp_path / "out", model={"start": str(world / "model"), "relevance": HYPER})
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    with pytest.raises(SystemExit) as done:
        main(["train", str(tmp_path / "r.yaml"), "run.steps=3", "validation.every=2", "--offline"])
    assert done.value.code == 0
    assert hyperir.load(tmp_path / "out").trained
