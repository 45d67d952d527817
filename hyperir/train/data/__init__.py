"""Training sets: one reader a file. A member is made from its configuration and offers :class:`TrainingSet`.

A member also says, by `accepts(source)`, whether a path is one of its kind, so that `open_training` finds the reader.
"""

from hyperir.core.registry import Table
from hyperir.train.data.example import Example, TrainingSet

__all__ = ["SETS", "Example", "TrainingSet", "open_training"]

# In this order they are asked whether a source is theirs.
SETS: Table[TrainingSet] = Table(
    "training sets",
    {
        "collection": "hyperir.train.data.collection:CollectionSet",
        "hypencoder": "hyperir.train.data.hypencoder:HypencoderSet",
        "columns": "hyperir.train.data.columns:ColumnsSet",
        "triples": "hyperir.train.data.triples:TriplesSet",
        "taught": "hyperir.train.data.taught:TaughtSet",
        "groups": "hyperir.train.data.groups:GroupsSet",
        "augmented": "hyperir.train.data.augmented:AugmentedSet",
        "spans": "hyperir.train.data.spans:SpansSet",
        "ranked": "hyperir.train.data.ranked:RankedSet",
    },
)

from hyperir.train.data.opening import open_training  # noqa: E402 - it reads the table above
