"""Cropping: a span of a text stands for the whole (Contriever, Izacard et al., 2022; DRAGON, Lin et al., 2023)."""

from __future__ import annotations

import math
from random import Random
from typing import Literal

from pydantic import Field, model_validator

from hyperir.core.config import Config

__all__ = ["Crop", "CropConfig", "span"]


class CropConfig(Config):
    """Configuration of cropping.

    Args:
        shortest: share of the words that stays, at least.
        longest: share of the words that stays, at most.
        words: that stay at least, where there are as many.
    """

    type: Literal["crop"] = "crop"
    shortest: float = Field(0.05, ge=0, le=1)
    longest: float = Field(0.5, gt=0, le=1)
    words: int = Field(4, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> CropConfig:
        if self.shortest > self.longest:
            raise ValueError("shortest is larger than longest")
        return self


class Crop:
    """A span of words; its length is drawn evenly between two shares of the text's, then its place."""

    Config = CropConfig

    def __init__(self, config: CropConfig) -> None:
        self._config = config

    def __call__(self, text: str, draw: Random) -> str:
        """See :class:`hyperir.train.augmentations.Augmentation`."""
        words = text.split()
        config = self._config
        return " ".join(span(words, config.shortest, config.longest, config.words, draw)) if words else text


def span(words: list[str], shortest: float, longest: float, least: int, draw: Random) -> list[str]:
    """Neighbouring words: a share of all between two limits, and `least` at least where there are as many."""
    length = math.ceil(draw.uniform(shortest, longest) * len(words))
    length = min(len(words), max(length, least))
    start = draw.randint(0, len(words) - length)
    return words[start : start + length]
