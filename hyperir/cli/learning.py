"""Learning: train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperir.cli.app import AsJson, Offline, app, go_offline, print_json, say
from hyperir.core.errors import InputError

__all__ = ["train"]


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML file.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes of it, such as run.steps=100.")
    ] = None,
    step: Annotated[
        int | None, typer.Option(min=1, help="Do not train: make a model of this step, which was saved on the way;")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="with --step: the model's folder.")] = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Train a model from a recipe. Ctrl-C saves; the same command goes on there."""
    if (step is None) != (output is None):
        raise InputError("--step and --output go together", expected="--step N -o FOLDER, or neither of them")
    go_offline(offline)
    from hyperir.train.reading import read_recipe

    checked = read_recipe(recipe, changes or [])
    if step is not None and output is not None:
        from hyperir.train.export import export

        folder = export(checked, step, output)
        if as_json:
            print_json({"folder": str(folder), "steps": step})
        else:
            say(f"{folder}: the model after {step:,} steps")
        return
    from hyperir.train.run import train as run

    result = run(checked)
    if as_json:
        facts = {"folder": str(result.folder), "steps": result.steps, "seconds": result.seconds}
        print_json(facts | {"measures": result.measures, "before": result.before})
        return
    figures = ", ".join(
        f"{name} {value:.4f}" + (f" (before {result.before[name]:.4f})" if name in result.before else "")
        for name, value in result.measures.items()
    )
    first = next(iter(result.measures), "")
    if first in result.before and result.measures[first] < result.before[first]:
        say(f"No step was better by {first} than the model before training: think of other rates, data or losses.")
    say(
        f"{result.folder}: trained for {result.steps:,} steps" + (f"; {figures}" if figures else ""),
        f"Try: hyperir index CORPUS -o my.index --model {result.folder}",
    )
