"""From a path to the training set that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hyperir.core.errors import CollectionError
from hyperir.train.data import SETS
from hyperir.train.data.example import TrainingSet

__all__ = ["open_training"]


def open_training(source: str | Path, **options: Any) -> TrainingSet:
    """Open a training set; the first reader of `SETS` that accepts the source gets it.

    Args:
        source: a collection with judgements, or a file of examples.
        options: what else the reader's configuration takes, such as `split` of a collection.

    Raises:
        CollectionError: no reader understands the source; lists all that is understood.
        ConfigError: the reader has no such option.
    """
    for name in SETS:
        reader: Any = SETS[name]
        if reader.accepts(str(source)):
            return SETS.build({"type": name, "source": str(source), **options})
    understood = "".join(f"\n    {SETS[name].understood}" for name in SETS)  # type: ignore[attr-defined]
    what = "is no training set that is understood" if Path(source).exists() else "does not exist"
    raise CollectionError(f"{source} {what}", expected="one of" + understood)
