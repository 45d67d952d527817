"""Words left out, and words said twice (ESimCSE, Wu et al., COLING 2022)."""

from __future__ import annotations

from random import Random
from typing import Literal

from pydantic import Field

from hyperir.core.config import Config

__all__ = ["Delete", "DeleteConfig", "Repeat", "RepeatConfig"]


class DeleteConfig(Config):
    """Configuration of deletion.

    Args:
        rate: every word's chance to go.
    """

    type: Literal["delete"] = "delete"
    rate: float = Field(0.1, ge=0, le=1)


class RepeatConfig(Config):
    """Configuration of repetition.

    Args:
        rate: every word's chance to come twice.
    """

    type: Literal["repeat"] = "repeat"
    rate: float = Field(0.1, ge=0, le=1)


class Delete:
    """Words fall out; one stays."""

    Config = DeleteConfig

    def __init__(self, config: DeleteConfig) -> None:
        self._rate = config.rate

    def __call__(self, text: str, draw: Random) -> str:
        """See :class:`hyperir.train.augmentations.Augmentation`."""
        words = text.split()
        if not words:
            return text
        kept = [word for word in words if draw.random() >= self._rate]
        return " ".join(kept or [draw.choice(words)])


class Repeat:
    """Words come twice in a row, which makes a text longer and says nothing else."""

    Config = RepeatConfig

    def __init__(self, config: RepeatConfig) -> None:
        self._rate = config.rate

    def __call__(self, text: str, draw: Random) -> str:
        """See :class:`hyperir.train.augmentations.Augmentation`."""
        words = text.split()
        if not words:
            return text
        return " ".join(word for each in words for word in [each] * (1 + (draw.random() < self._rate)))
