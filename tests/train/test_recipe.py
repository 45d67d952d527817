"""Recipes: read strictly, changed by hand, and the official one followed."""

import json
from pathlib import Path

import pytest
import torch
from tiny_models import LINE, make_bert, write_tokenizer
from worlds import interrupt_at, recipe_of

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


def official(folder, output, *changes):
    """The official recipe over eight lines of the authors' format and a tiny BERT."""
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
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    make_bert(width=128).save_pretrained(folder / "bert")
    write_tokenizer(folder / "bert")
    return read_recipe(
        OFFICIAL,
        [
            f"output={folder / output}",
            f"data.source={folder / 'data.jsonl'}",
            f"model.start={folder / 'bert'}",
            "model.document_length=32",
            "model.relevance.qnet.hidden=[128,128,128,128,128,128]",
            "batch.queries=4",
            "batch.items=3",
            "run.steps=20",
            "run.log=1",
            "run.precision=float32",
            *changes,
        ],
    )


def losses_of(folder):
    log = [json.loads(line) for line in (folder / "training" / "log.jsonl").read_text().splitlines()]
    return [line for line in log if "loss" in line]


# All examples with all their items in every step, and no dropout, so that a loss differs from the last one by learning
# alone: of so small a network dropout hides 20 steps altogether.
STILL = ("batch.queries=8", "batch.items=4", "model.dropout=0.0")


def test_the_official_recipe_runs_resumes_and_is_saved_in_the_authors_format(tmp_path, monkeypatch):
    train(official(tmp_path, "whole", "optimizer.warmup=0", *STILL))
    whole = losses_of(tmp_path / "whole")
    assert [line["step"] for line in whole] == list(range(1, 21))
    assert all(
        line["loss"] == pytest.approx(line["loss_margin_mse"] + line["loss_cross_entropy"], rel=1e-4) for line in whole
    )
    assert whole[-1]["loss"] < 0.3 * whole[0]["loss"], "it learns, at the rates of the authors"
    with monkeypatch.context() as patch:
        interrupt_at(9, patch)
        with pytest.raises(KeyboardInterrupt):
            train(official(tmp_path, "parts", "optimizer.warmup=0", *STILL))
    train(official(tmp_path, "parts", "optimizer.warmup=0", *STILL))
    expected = [line["loss"] for line in whole]
    assert [line["loss"] for line in losses_of(tmp_path / "parts")] == pytest.approx(expected, abs=1e-5)
    ours, theirs = hyperir.load(tmp_path / "parts"), hyperir.load(tmp_path / "parts" / "official")
    texts, queries = ["the quick fox", "a search engine", "dog"], ["fox", "ranks documents"]
    expected = ours.encode_query(queries)(ours.encode_document(texts))
    assert expected.std() > 0
    torch.testing.assert_close(theirs.encode_query(queries)(theirs.encode_document(texts)), expected)


def test_the_official_warm_up_hides_what_twenty_steps_learn(tmp_path):
    """They end at a rate of 20 / 6,000 of the full one."""
    train(official(tmp_path, "slow", *STILL))
    slow = losses_of(tmp_path / "slow")
    assert slow[-1]["learning_rate"] == pytest.approx(2e-5 * 19 / 6000, rel=0.06)
    assert 0.9 * slow[0]["loss"] < slow[-1]["loss"] < slow[0]["loss"]


def test_what_the_authors_format_cannot_say_is_refused(world, tmp_path):
    from hyperir.core.errors import ModelError
    from hyperir.encode.official_writing import write_official

    with pytest.raises(ModelError, match="official format") as caught:
        write_official(hyperir.load(world / "model"), tmp_path)
    assert "relevance of type hyper" in caught.value.expected


def test_the_verb_trains(world, tmp_path, capsys):
    import yaml
    from worlds import HYPER

    from hyperir.cli import main

    recipe = recipe_of(world, tmp_path / "out", model={"start": str(world / "model"), "relevance": HYPER})
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    with pytest.raises(SystemExit) as done:
        main(["train", str(tmp_path / "r.yaml"), "run.steps=3", "validation.every=2", "--offline"])
    assert done.value.code == 0
    assert hyperir.load(tmp_path / "out").trained
    assert "(before 0." in capsys.readouterr().err
