"""Typing errors, so that a model learns to read what hurried people write (Zhuang and Zuccon, 2021)."""

from __future__ import annotations

from random import Random
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hyperir.core.config import Config
from hyperir.core.errors import UnknownNameError
from hyperir.evaluate.variations import VARIATIONS, varied

__all__ = ["Typos", "TyposConfig"]


def _known(kinds: tuple[str, ...]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in VARIATIONS:
            raise UnknownNameError("variation", kind, VARIATIONS)
    return kinds


class TyposConfig(Config):
    """Configuration of typing errors.

    Args:
        kinds: of `hyperir.evaluate.variations.VARIATIONS`; one is drawn for a text.
        errors: a text, each in another word.
    """

    type: Literal["typos"] = "typos"
    kinds: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)] = (
        "swap",
        "drop",
        "double",
        "neighbour",
    )
    errors: int = Field(1, ge=1)


class Typos:
    """The errors by which `hyperir.evaluate.variations` measures how robust a system is."""

    Config = TyposConfig

    def __init__(self, config: TyposConfig) -> None:
        self._config = config

    def __call__(self, text: str, draw: Random) -> str:
        """See :class:`hyperir.train.augmentations.Augmentation`."""
        return varied(text, draw.choice(self._config.kinds), draw, self._config.errors)
