"""A curriculum: stages that change the recipe and go on with the weights before."""

import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file
from worlds import HYPER, recipe_of

import hyperir
from hyperir.core.errors import ConfigError
from hyperir.train import train
from hyperir.train.reading import read_recipe, write_recipe
from hyperir.train.recipe import Recipe

SCALED = {"type": "scaled", "of": "cross_entropy", "temperature": 0.05}


def staged(world, output, **changes):
    parts = {
        "model": {"start": str(world / "model"), "relevance": HYPER, "dropout": 0.1},
        "losses": [SCALED],
        "stages": [
            {"run": {"steps": 4}},
            {"negatives": {"type": "random"}, "optimizer": {"head_rate": 1e-3}, "batch": {"items": 3}},
            {"losses": ["cross_entropy"], "run": {"steps": 2}, "batch": {"order": {"type": "topics", "topics": 3}}},
        ],
        "run": {"steps": 6, "log": 1, "stay": True},
        "validation": {"source": str(world / "data"), "every": 3},
    }
    return recipe_of(world, output, **(parts | changes))


def log_of(folder):
    return [json.loads(line) for line in (folder / "training" / "log.jsonl").read_text().splitlines()]


def test_a_stage_changes_what_it_names(world, tmp_path):
    recipe = staged(world, tmp_path / "out")
    first, second, third = recipe.parts()
    assert (first.run.steps, second.run.steps, third.run.steps) == (4, 6, 2)
    assert (first.negatives, second.negatives.type, third.negatives) == (None, "random", None)
    assert (second.optimizer.head_rate, second.optimizer.encoder_rate) == (1e-3, 3e-4), "key by key"
    assert (second.batch.items, second.batch.queries, third.batch.items) == (3, 16, 4)
    assert [part.losses[0].loss.type for part in recipe.parts()] == ["scaled", "scaled", "cross_entropy"]
    assert third.batch.order.topics == 3
    assert len({part.seed for part in recipe.parts()}) == 3
    write_recipe(recipe, tmp_path / "r.yaml")
    assert read_recipe(tmp_path / "r.yaml") == recipe
    assert read_recipe(tmp_path / "r.yaml").parts() == recipe.parts()


def test_a_member_of_another_type_replaces_and_null_removes(world, tmp_path):
    recipe = staged(
        world,
        tmp_path,
        negatives={"type": "static", "depth": 7},
        stages=[{"negatives": {"depth": 9}}, {"negatives": "random"}, {"negatives": None}],
    )
    first, second, third = recipe.parts()
    assert (first.negatives.type, first.negatives.depth) == ("static", 9)
    assert (second.negatives.type, third.negatives) == ("random", None)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([{"runs": {"steps": 3}}], r"unknown key 'stages.0.runs'"),
        ([{}, {"run": {"stepz": 3}}], r"unknown key 'run.stepz' in stages.1[\s\S]*did you mean 'steps'"),
        ([{"data": {"type": "jsonl"}}], "no training sets member"),
    ],
)
def test_wrong_stages_are_named_before_anything_is_trained(world, tmp_path, stages, message):
    with pytest.raises(Exception, match=message):
        staged(world, tmp_path, stages=stages)


def test_held_out_documents_need_the_same_data_in_all_stages(world, tmp_path):
    held = {"hold_out": 0.2, "every": 10}
    with pytest.raises(ConfigError, match="held out"):
        staged(world, tmp_path, validation=held)
    staged(world, tmp_path, validation=held, stages=[{"run": {"steps": 1}}, {"losses": ["kl"]}])
    with pytest.raises(ConfigError, match="held out"):
        staged(world, tmp_path, validation=held, stages=[{}, {"data": {"split": "dev"}}])


def interrupt_after(count, monkeypatch):
    """Ctrl-C while the step with this number runs, counted over all stages from 0."""
    from hyperir.train.trainer import RetrievalTrainer

    whole, seen = RetrievalTrainer.training_step, []

    def interrupted(self, *arguments):
        if len(seen) == count:
            os.kill(os.getpid(), signal.SIGINT)
        seen.append(self)
        return whole(self, *arguments)

    monkeypatch.setattr(RetrievalTrainer, "training_step", interrupted)


def test_stages_go_on_with_the_weights_before_also_after_a_stop(world, tmp_path, monkeypatch):
    result = train(staged(world, tmp_path / "whole"))
    assert result.steps == 12
    log = log_of(tmp_path / "whole")
    losses = [(line["step"], line["loss"]) for line in log if "loss" in line]
    assert [step for step, _ in losses] == list(range(1, 13))
    assert len([line for line in log if line["step"] == 0]) == 1, "the start is validated once"
    card = (tmp_path / "whole" / "README.md").read_text()
    assert "| examples | 120 + 120 + 120 |" in card
    assert str(tmp_path) not in card
    assert str(world) not in card
    with monkeypatch.context() as patch:
        interrupt_after(6, patch)
        with pytest.raises(KeyboardInterrupt) as caught:
            train(staged(world, tmp_path / "parts"))
    assert "Saved after step 3" in caught.value.__notes__[0], "of the second stage"
    seen = []
    from hyperir.train import run

    before = run._train
    with monkeypatch.context() as patch:
        patch.setattr(run, "_train", lambda whole, number, *rest: seen.append(number) or before(whole, number, *rest))
        train(staged(world, tmp_path / "parts"))
    assert seen == [1, 2], "the first stage is done"
    again = [(line["step"], line["loss"]) for line in log_of(tmp_path / "parts") if "loss" in line]
    assert again == [(step, pytest.approx(loss, abs=1e-5)) for step, loss in losses]
    a, b = (hyperir.load(tmp_path / name) for name in ("whole", "parts"))
    for expected, got in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)
    # The scale that the first stage learned goes on in the second, whose loss is the same.
    stages = tmp_path / "whole" / "training" / "stages"
    one, two = (load_file(stages / f"{number}.safetensors") for number in (0, 1))
    scale = next(name for name in one if name.startswith("losses."))
    start = -torch.tensor(0.05).log()
    assert abs(two[scale] - start) > abs(one[scale] - start) > 0


def test_any_step_that_was_saved_becomes_a_model(world, tmp_path):
    import yaml

    from hyperir.cli import main

    recipe = staged(
        world,
        tmp_path / "out",
        validation={"source": str(world / "data"), "every": 2},
        run={"steps": 4, "log": 1, "stay": True},
    )
    train(recipe)
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))

    def verb(*rest):
        with pytest.raises(SystemExit) as done:
            main(["train", str(tmp_path / "r.yaml"), *map(str, rest), "--offline"])
        return done.value.code

    assert verb("--step", 6, "-o", tmp_path / "six") == 0
    made = hyperir.load(tmp_path / "six")
    assert made.trained
    stored = load_file(tmp_path / "out" / "training" / "checkpoints" / "stage-1" / "checkpoint-2" / "model.safetensors")
    own = dict(made.named_parameters())
    for name, value in stored.items():
        if name.startswith("model."):
            assert torch.equal(own[name.removeprefix("model.")], value), name
    card = (tmp_path / "six" / "README.md").read_text()
    assert "the checkpoint of step 6" in card
    assert "validation RR@10" in card
    measured = next(
        line["eval_RR@10"] for line in log_of(tmp_path / "out") if line["step"] == 6 and "eval_RR@10" in line
    )
    assert f"| validation RR@10 | {measured:.4f} (before" in card
    # The end of a stage is a step as well; others, and folders with something in them, are refused.
    assert verb("--step", 4, "-o", tmp_path / "four") == 0
    assert verb("--step", 5, "-o", tmp_path / "five") != 0
    assert verb("--step", 6, "-o", tmp_path / "six") != 0
    assert verb("--step", 6) != 0
    assert not (tmp_path / "five").exists()


def test_steps_that_are_gone_are_told(world, tmp_path):
    from hyperir.core.errors import InputError
    from hyperir.train.export import export

    recipe = recipe_of(
        world, tmp_path / "out", model={"start": str(world / "model"), "relevance": HYPER}, run={"steps": 2}
    )
    with pytest.raises(InputError, match="holds no training"):
        export(recipe, 2, tmp_path / "two")
    train(recipe)
    with pytest.raises(InputError, match="no longer there") as caught:
        export(recipe, 2, tmp_path / "two")
    assert "run.stay=true" in caught.value.fix


def test_a_recipe_of_an_older_version_goes_on(world, tmp_path):
    """Keys that came later have their defaults there."""
    import yaml

    from hyperir.train.output import Output

    recipe = recipe_of(world, tmp_path / "out")
    old = recipe.model_dump(mode="json", exclude={"stages": True, "run": {"stay"}, "batch": {"order"}})
    (tmp_path / "out" / "training").mkdir(parents=True)
    (tmp_path / "out" / "training" / "recipe.yaml").write_text(yaml.safe_dump(old))
    assert Output(tmp_path / "out", Recipe.parse(old)).begun
