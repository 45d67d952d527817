"""A model of a step that a training saved on its way."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from hyperir.core.errors import InputError
from hyperir.train.learner import build_model
from hyperir.train.losses import LOSSES
from hyperir.train.partial import merge_lora
from hyperir.train.recipe import Recipe
from hyperir.train.retriever import Retriever

__all__ = ["export"]


def export(recipe: Recipe, step: int, folder: str | Path) -> Path:
    """Write the model as it was after a step; the training itself is not touched, and may go on meanwhile.

    Args:
        recipe: of the training, in its `output`.
        step: one that was saved.
        folder: becomes the model's; does not exist, or is empty.

    Returns:
        The folder.

    Raises:
        InputError: there is no such training or step, or the folder holds something.
    """
    from hyperir.train.output import Output
    from hyperir.train.trainer import put_back

    folder = Path(folder).expanduser().resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} holds something already", expected="a folder that does not exist or is empty")
    output = Output(Path(recipe.output).expanduser(), recipe)
    if not output.begun:
        raise InputError(
            f"{output.folder} holds no training", expected="the recipe's output, in which steps were saved"
        )
    saved = output.saved()
    if step not in saved:
        raise InputError(
            f"step {step:,} of the training in {output.folder} was not saved, or is no longer there",
            expected="one of the steps " + ", ".join(map(str, sorted(saved))) if saved else "a step that was saved",
            got=str(step),
            fix="run.stay=true keeps checkpoints when all is done, run.keep=N says how many" if output.finished else "",
        )
    stage, weights, history = saved[step]
    model = build_model(recipe)
    losses = [(part.loss.type, part.weight, LOSSES.build(part.loss)) for part in recipe.parts()[stage].losses]  # type: ignore[attr-defined]
    put_back(Retriever(model, losses), load_file(weights))
    if recipe.regime.lora is not None:
        merge_lora(model)
    measured = [line for line in history if line["step"] == step and any(name.startswith("eval_") for name in line)]
    measures = {
        name.removeprefix("eval_"): float(value)
        for line in measured[-1:]
        for name, value in line.items()
        if name.startswith("eval_")
    }
    output.write_model(folder, model, history, measures, {"made of": f"the checkpoint of step {step:,}"})
    return folder
