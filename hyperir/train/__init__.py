"""Training: from a recipe file to a model folder. Nothing here imports torch before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperir.train.recipe import Recipe
    from hyperir.train.run import train

__all__ = ["Recipe", "train"]


def __getattr__(name: str) -> Any:
    if name == "Recipe":
        from hyperir.train.recipe import Recipe

        return Recipe
    if name == "train":
        from hyperir.train.run import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
