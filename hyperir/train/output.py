"""The folder that a training writes: the model, and below `training/` how it came about.

my-model/
  config.json, model.safetensors, tokenizer.json, README.md      what `hyperir.load` reads, when all is done
  training/recipe.yaml      with all defaults
  training/origin.json      versions, seed, fingerprints of the data
  training/checkpoints/     to go on from; given up when all is done, unless the recipe says `run.stay`
  training/stages/          what each finished stage learned, and its log
  training/log.jsonl        losses and measures by step
  training/curves.png       the same as a picture
  training/tensorboard/     the same for TensorBoard, where `run.report_to` says so
"""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from hyperir.core.errors import ConfigError, InputError
from hyperir.encode.model import Model
from hyperir.encode.official_writing import write_official
from hyperir.index.store import Store
from hyperir.train.curves import draw
from hyperir.train.reading import write_recipe
from hyperir.train.recipe import Recipe
from hyperir.train.trainer import WEIGHTS

__all__ = ["Output", "later", "so_far"]

STATE = "trainer_state.json"
PACKAGES = ("hyperir", "torch", "transformers", "accelerate", "tokenizers", "numpy")


class Output:
    """The folder of one training.

    Args:
        folder: the recipe's output.
        recipe: what is trained.

    Raises:
        InputError: the folder holds something else, or another recipe's training.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe = folder.resolve(), recipe
        self.record = self.folder / "training"
        self.checkpoints = self.record / "checkpoints"
        self.stages = self.record / "stages"
        self._check()

    @property
    def begun(self) -> bool:
        """Whether a step may have been done already."""
        return (self.record / "recipe.yaml").is_file()

    @property
    def finished(self) -> bool:
        """Whether the model is there."""
        return (self.folder / "config.json").is_file()

    def _check(self) -> None:
        file = self.record / "recipe.yaml"
        if not file.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise InputError(
                    f"{self.folder} holds something already, and no training that could go on",
                    expected="a folder that does not exist or is empty",
                    fix="output=ANOTHER",
                )
            return
        before = self._defaults_filled(yaml.safe_load(file.read_text(encoding="utf-8")))
        changed = sorted(_different(before, self.recipe.model_dump(mode="json")))
        if changed:
            raise InputError(
                f"{self.folder} holds the training of another recipe",
                expected=f"the same as in {file}",
                got="other values of " + ", ".join(changed[:5]),
                fix="output=ANOTHER, or delete the folder",
            )

    @staticmethod
    def _defaults_filled(values: Any) -> Any:
        """A recipe that another version wrote, with the keys that it did not know yet."""
        try:
            return Recipe.parse(values).model_dump(mode="json")
        except ConfigError:
            return values  # a key that is gone; the comparison names it

    def refuse_finished(self) -> None:
        """Raise InputError where all is done already."""
        if self.finished:
            raise InputError(
                f"the training in {self.folder} is finished", fix="output=ANOTHER trains anew, and so does seed=ANOTHER"
            )

    def last_checkpoint(self, stage: int) -> str | None:
        """The newest complete checkpoint; incomplete ones, of a process that was killed, are removed."""
        complete: dict[int, Path] = {}
        for path in self.checkpoints_of(stage).glob("checkpoint-*"):
            if (path / STATE).is_file():  # written last
                complete[int(path.name.rsplit("-", 1)[1])] = path
            else:
                shutil.rmtree(path)
        return str(complete[max(complete)]) if complete else None

    def checkpoints_of(self, stage: int) -> Path:
        """The folder of a stage's checkpoints."""
        return self.checkpoints / f"stage-{stage}" if self.recipe.stages else self.checkpoints

    def keep_stage(self, stage: int, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Write down what a stage learned; with this it is done."""
        self.stages.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), self.stages / f"{stage}.safetensors")
        beside = self.stages / f"{stage}.json.new"
        beside.write_text(json.dumps(record), encoding="utf-8")
        beside.replace(self.stages / f"{stage}.json")

    def stage(self, stage: int) -> dict[str, Any] | None:
        """What `keep_stage` wrote down; None while the stage is not done."""
        file = self.stages / f"{stage}.json"
        found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
        return found

    def saved(self) -> dict[int, tuple[int, Path, list[dict[str, Any]]]]:
        """Step -> its stage, its weights' file, and the log up to it, of all steps that a model can be made of."""
        found, before = {}, list[dict[str, Any]]()
        for stage in range(max(1, len(self.recipe.stages))):
            steps, seconds = so_far(before)
            for path in self.checkpoints_of(stage).glob("checkpoint-*"):
                if (path / STATE).is_file():
                    own = json.loads((path / STATE).read_text(encoding="utf-8"))["log_history"]
                    number = steps + int(path.name.rsplit("-", 1)[1])
                    found[number] = (stage, path / WEIGHTS, [*before, *later(own, steps, seconds)])
            done = self.stage(stage)
            if done is None:
                break
            before += later(done["history"], steps, seconds)
            found[steps + done["steps"]] = (stage, self.stages / f"{stage}.safetensors", list(before))
        return found

    def begin(self, data: str, store: Store | None) -> None:
        """Write down what is trained, before the first step.

        Raises:
            InputError: a training that goes on would meet other data than before.
        """
        origin = {
            "seed": self.recipe.seed,
            "data": data,
            "index": None if store is None else {"number": store.number, "documents": len(store)},
        }
        file = self.record / "origin.json"
        if file.is_file():
            before = json.loads(file.read_text(encoding="utf-8"))
            changed = [key for key, value in origin.items() if before.get(key) != value]
            if changed:
                raise InputError(
                    f"the training in {self.folder} cannot go on: its data are not what they were",
                    got=", ".join(f"another {key}" for key in changed),
                    fix="output=ANOTHER",
                )
            return
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        origin |= {"versions": {name: version(name) for name in PACKAGES}, "hardware": _hardware()}
        file.write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
        write_recipe(self.recipe, self.record / "recipe.yaml")

    def finish(
        self, model: Model, history: Sequence[Mapping[str, Any]], measures: Mapping[str, float], examples: str
    ) -> None:
        """Write the model with its card, the log and the curves, and give the checkpoints up."""
        with (self.record / "log.jsonl").open("w", encoding="utf-8") as file:
            for line in history:
                file.write(json.dumps(line) + "\n")
        draw(history, self.record / "curves.png")
        self.write_model(self.folder, model, history, measures, {"examples": examples})
        if not self.recipe.run.stay:
            for folder in (self.checkpoints, self.stages):
                if folder.exists():
                    shutil.rmtree(folder)

    def write_model(
        self,
        folder: Path,
        model: Model,
        history: Sequence[Mapping[str, Any]],
        measures: Mapping[str, float],
        facts: Mapping[str, Any],
    ) -> None:
        """Write a model of this training into a folder.

        Args:
            folder: this one or another.
            model: trained.
            history: the log up to its step.
            measures: of the model.
            facts: more lines of the card.
        """
        model.trained = True
        origin = json.loads((self.record / "origin.json").read_text(encoding="utf-8"))
        model.save_pretrained(
            folder,
            with_backbone=True if self.recipe.run.save_backbone else "changed",
            training=_card(self.recipe, origin, history, measures, facts),
        )
        if self.recipe.run.official:
            write_official(model, folder / "official")


def later(history: Sequence[Mapping[str, Any]], steps: int, seconds: float) -> list[dict[str, Any]]:
    """A stage's log among those of all stages: so many steps and seconds were before."""
    return [
        dict(line)
        | {"step": line["step"] + steps}
        | ({"seconds": line["seconds"] + seconds} if "seconds" in line else {})
        for line in history
    ]


def so_far(history: Sequence[Mapping[str, Any]]) -> tuple[int, float]:
    """Steps and seconds at the end of a log."""
    steps = max((line["step"] for line in history), default=0)
    return steps, max((line.get("seconds", 0.0) for line in history), default=0.0)


def _card(
    recipe: Recipe,
    origin: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    measures: Mapping[str, float],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The record of the training for the model card."""
    start = next((line for line in history if line.get("step") == 0 and "eval_" in "".join(line)), {})
    steps, seconds = so_far(history)
    card: dict[str, Any] = {
        "base_model": recipe.model.start,
        "steps": steps,
        **facts,
        "hours": round(seconds / 3600, 2),
        "hardware": origin["hardware"],
        "seed": recipe.seed,
        "data fingerprint": origin["data"][:16],
    }
    for name, value in measures.items():
        before = start.get(f"eval_{name}")
        card[f"validation {name}"] = f"{value:.4f}" + (f" (before training {before:.4f})" if before is not None else "")
    return card | {"recipe": recipe.model_dump(mode="json", exclude={"output"}), "versions": origin["versions"]}


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    return f"{torch.get_num_threads()} threads of a CPU ({platform.machine()})"


def _different(before: Any, now: Any, place: str = "") -> set[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = before.keys() | now.keys()
        return {d for key in keys for d in _different(before.get(key), now.get(key), f"{place}.{key}".lstrip("."))}
    return set() if before == now else {place}
