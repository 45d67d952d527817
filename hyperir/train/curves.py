"""Losses and measures by step, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["curves", "draw"]


def curves(history: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Name -> (step, value), of the losses, the measures ("eval_...") and the learning rate."""
    found: dict[str, list[tuple[int, float]]] = {}
    for line in history:
        for name, value in line.items():
            if name.startswith(("loss", "eval_", "learning_rate")) and isinstance(value, int | float):
                found.setdefault(name, []).append((line["step"], float(value)))
    return found


def draw(history: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw a picture of the losses and one of the measures; False where matplotlib is not installed."""
    found = curves(history)
    if find_spec("matplotlib") is None or not found:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, prefix, title in zip(figure.subplots(1, 2), ("loss", "eval_"), ("losses", "measures"), strict=True):
        for name, points in found.items():
            if name.startswith(prefix):
                steps, values = zip(*points, strict=True)
                axes.plot(steps, values, marker="." if len(steps) < 50 else "", label=name.removeprefix("eval_"))
        axes.set(title=title, xlabel="step")
        if axes.lines:
            axes.legend()
    figure.savefig(path, dpi=120)
    return True
