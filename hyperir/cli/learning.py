"""Learning: train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hyperir.cli.app import AsJson, Offline, app, go_offline, print_json, say

__all__ = ["train"]


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A YAML file.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes of it, such as run.steps=100.")
    ] = None,
    as_json: AsJson = False,
    offline: Offline = False,
) -> None:
    """Train a model from a recipe. Ctrl-C saves; the same command goes on there."""
    go_offline(offline)
    from hyperir.train.reading import read_recipe

    checked = read_recipe(recipe, changes or [])
    from hyperir.train.run import train as run

    result = run(checked)
    if as_json:
        facts = {"folder": str(result.folder), "steps": result.steps, "seconds": result.seconds}
        print_json(facts | {"measures": result.measures})
        return
    figures = ", ".join(f"{name} {value:.4f}" for name, value in result.measures.items())
    say(
        f"{result.folder}: trained for {result.steps:,} steps" + (f"; {figures}" if figures else ""),
        f"Try: hyperir index CORPUS -o my.index --model {result.folder}",
    )
