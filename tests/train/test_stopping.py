"""When training ends by itself, which of its steps is kept, and who else is told."""

import sys
import types

import pytest
import torch
from worlds import interrupt_at, recipe_of, write

import hyperir
from hyperir.cli import main
from hyperir.core.errors import InputError
from hyperir.train import train
from hyperir.train.validation import Validation

VALUES = [0.9, 0.2, 0.5, 0.4, 0.5, 0.3, 0.6]  # before the first step, then after every second one


@pytest.fixture
def measured(monkeypatch):
    """Validations that say VALUES by their step, and note the step and a weight of what they measured."""
    noted = []

    def told(self, retriever):
        weight = next(p for p in retriever.model.relevance.parameters() if p.dim() > 1)
        noted.append((retriever.step, weight.detach().clone()))
        return {"RR@10": VALUES[min(len(noted), len(VALUES)) - 1]}

    monkeypatch.setattr(Validation, "__call__", told)
    return noted


def recipe(world, output, patience=None, **run):
    validation = {"source": str(world / "data"), "every": 2, "measures": ["RR@10"], "patience": patience}
    model = {"start": str(world / "model"), "relevance": "hyper"}
    return recipe_of(world, output, model=model, validation=validation, run={"steps": 12, "log": 1} | run)


def test_the_best_step_is_kept(world, tmp_path, measured):
    assert train(recipe(world, tmp_path / "out")).steps == 12
    weights = [weight for _, weight in measured]
    kept = next(p for p in hyperir.load(tmp_path / "out").relevance.parameters() if p.dim() > 1)
    assert torch.equal(kept, weights[6]), "0.6, the last of all"
    assert torch.equal(kept, weights[-1]), "what is told at the end is of what is kept"


@pytest.mark.parametrize(("patience", "steps", "best"), [(1, 6, 2), (2, 8, 2), (3, 10, 2), (4, 12, 6)])
def test_it_ends_after_so_many_validations_without_a_better_one(world, tmp_path, measured, patience, steps, best):
    """Equal is not better, and the state before training, which is no step's, does not count."""
    assert train(recipe(world, tmp_path / "out", patience)).steps == steps
    kept = next(p for p in hyperir.load(tmp_path / "out").relevance.parameters() if p.dim() > 1)
    assert torch.equal(kept, measured[best][1])


def test_a_training_that_only_loses_says_so(world, tmp_path, measured, capsys):
    file = write(recipe(world, tmp_path / "out"), tmp_path / "r.yaml")
    with pytest.raises(SystemExit) as done:
        main(["train", str(file)])
    assert done.value.code == 0
    told = capsys.readouterr().err
    assert "RR@10 0.6000 (before 0.9000)" in told
    assert "No step was better by RR@10" in told
    steps = [line for line in told.splitlines() if line.startswith("step ")]
    waits = ["left" in line for line in steps]  # nobody knows before the first step, and after the last is nothing
    assert waits == [False, *[True] * (len(steps) - 2), False]


def test_a_stop_forgets_no_validation(world, tmp_path, measured, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(6, patch)  # after 0.2, 0.5, 0.4
        with pytest.raises(KeyboardInterrupt):
            train(recipe(world, tmp_path / "out", 2))
    assert train(recipe(world, tmp_path / "out", 2)).steps == 8


def test_who_is_told_is_checked_before_any_work(world, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="did you mean 'tensorboard'"):
        train(recipe(world, tmp_path / "out", report_to=["tensorbord"]))
    monkeypatch.setattr("transformers.integrations.integration_utils.is_tensorboard_available", lambda: False)
    with pytest.raises(InputError, match="tensorboard cannot be used") as caught:
        train(recipe(world, tmp_path / "out", report_to=["tensorboard"]))
    assert "pip install tensorboard" in caught.value.fix
    assert not (tmp_path / "out").exists()


def test_tensorboard_gets_the_figures_and_keeps_them(world, tmp_path, monkeypatch):
    """With a writer of its kind; its own package is not installed for tests."""
    written = []

    class SummaryWriter:
        def __init__(self, log_dir):
            self.folder = log_dir

        def add_text(self, name, text, step=None):
            pass

        def add_scalar(self, name, value, step):
            written.append((self.folder, name, step))

        def flush(self):
            pass

        close = flush

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.setattr("transformers.integrations.integration_utils.is_tensorboard_available", lambda: True)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=SummaryWriter))
    train(recipe(world, tmp_path / "out", report_to=["tensorboard"], steps=2))
    assert {folder for folder, *_ in written} == {str(tmp_path / "out" / "training" / "tensorboard")}
    assert {("train/loss", 1), ("train/loss", 2), ("eval/RR@10", 0), ("eval/RR@10", 2)} <= {w[1:] for w in written}
