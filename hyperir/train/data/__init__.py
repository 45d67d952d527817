"""Training sets: one reader a file. A member is made from its configuration and offers :class:`TrainingSet`."""

from hyperir.core.registry import Table
from hyperir.train.data.example import Example, TrainingSet

__all__ = ["SETS", "Example", "TrainingSet"]

SETS: Table[TrainingSet] = Table(
    "training sets",
    {
        "collection": "hyperir.train.data.collection:CollectionSet",
    },
)
