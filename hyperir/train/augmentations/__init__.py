"""Augmentations: texts changed a little, so that there is more to learn from. One file each.

A member is made from its configuration. It changes one text with what it draws from a generator: equal generators
give equal texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hyperir.core.registry import Table

if TYPE_CHECKING:
    from random import Random

__all__ = ["AUGMENTATIONS", "Augmentation"]


class Augmentation(Protocol):
    """What every member offers."""

    def __call__(self, text: str, draw: Random) -> str:
        """The text, changed; one without words comes back as it is."""
        ...


AUGMENTATIONS: Table[Augmentation] = Table(
    "augmentations",
    {
        "crop": "hyperir.train.augmentations.crop:Crop",
        "delete": "hyperir.train.augmentations.words:Delete",
        "repeat": "hyperir.train.augmentations.words:Repeat",
        "typos": "hyperir.train.augmentations.typos:Typos",
    },
)
