"""Stages: a curriculum, in which each stage changes the recipe and goes on with the weights of the one before.

CL-DRD (Zeng, Zamani and Vinay, SIGIR 2022) lets the groups of documents grow harder; PROD (Lin et al., WWW 2023) lets
the teacher grow stronger. Both are other values of the same keys, stage by stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from hyperir.core.config import Config

__all__ = ["StageRecipe", "merged"]


class StageRecipe(Config):
    """What a stage changes; a key that is left out stays as the recipe has it.

    Keys inside of a part are changed one by one, but a member of another type, and a list, replace what was there.

    Args:
        data: the examples.
        batch: what one step sees.
        negatives: what fills up an example's items.
        losses: all of them. A loss that is the same as in the stage before goes on with its own parameters.
        regularisers: all of them.
        optimizer: rates, schedule and warm-up, which begin anew with every stage.
        validation: where training stands.
        run: steps or epochs of this stage, and the rest.
    """

    data: dict[str, Any] | None = None
    batch: dict[str, Any] | None = None
    negatives: dict[str, Any] | str | None = None
    losses: list[Any] | None = None
    regularisers: list[Any] | None = None
    optimizer: dict[str, Any] | None = None
    validation: dict[str, Any] | None = None
    run: dict[str, Any] | None = None

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only what was given: `negatives: null` is a change, and no `negatives` is none."""
        return {key: value for key, value in dump(self).items() if key in self.model_fields_set}


def merged(base: Mapping[str, Any], stage: StageRecipe) -> dict[str, Any]:
    """A recipe's plain values with a stage's changes."""
    return _merged(base, stage.model_dump(mode="json"))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for key, value in changes.items():
        before = found.get(key)
        nested = isinstance(before, Mapping) and isinstance(value, Mapping)
        same = nested and value.get("type", before.get("type")) == before.get("type")  # type: ignore[union-attr]
        found[key] = _merged(before, value) if same else value  # type: ignore[arg-type]
    return found
