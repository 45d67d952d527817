"""A training set with a teacher's scores, which `hyperir teach` wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, SerializeAsAny

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.train.data import SETS
from hyperir.train.data.example import Example
from hyperir.train.data.inline import as_label
from hyperir.train.data.records import Records

__all__ = ["TaughtSet", "TaughtSetConfig"]


class TaughtSetConfig(Config):
    """Configuration of a taught set.

    Args:
        of: the training set, a member of `SETS`.
        scores: the file that `hyperir teach` wrote for it.
        positive: "first" leaves the positive; "best" takes the item that the teacher likes best, as the Hypencoder's
            authors did.
    """

    type: Literal["taught"] = "taught"
    of: Annotated[SerializeAsAny[Config], BeforeValidator(SETS.parse)]
    scores: str
    positive: Literal["first", "best"] = "first"


class TaughtSet:
    """The examples of another set, with a teacher's scores as labels."""

    Config = TaughtSetConfig
    understood = "the scores of a teacher, with the training set that they are of"

    def __init__(self, config: TaughtSetConfig) -> None:
        self._config = config
        self._set = SETS.build(config.of)
        path = Path(config.scores)
        self._path = path
        header: dict[str, Any] = {}

        def check(value: Any, place: str) -> None:
            if not isinstance(value, Mapping) or not (isinstance(value.get("scores"), list) or not header):
                raise CollectionError(
                    f"{place} is no line of a teacher's scores", expected="what `hyperir teach` writes", got=repr(value)
                )
            if not header:
                header.update(value)
                return
            for score in value["scores"]:
                as_label(score, place)

        self._scores = Records.open(path, check)
        if header.get("training") != self._set.fingerprint:
            raise CollectionError(
                f"{path} holds scores of another training set, or of this one before it changed",
                expected=f"training {self._set.fingerprint[:12]}",
                got=str(header.get("training"))[:12],
                fix="hyperir teach TRAINING -o NEW.jsonl --teacher NAME",
            )
        if len(self._scores) != len(self._set) + 1:
            raise CollectionError(
                f"{path} is not finished",
                expected=f"scores of {len(self._set):,} examples",
                got=f"{len(self._scores) - 1:,}",
                fix="run `hyperir teach` again with the same options: it goes on where it was",
            )

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Never: a file of scores alone is no training set."""
        return False

    def __len__(self) -> int:
        return len(self._set)

    def __getitem__(self, i: int) -> Example:
        example = self._set[i]
        labels = tuple(float(score) for score in self._scores[i + 1]["scores"])
        if len(labels) != len(example.items):
            raise CollectionError(
                f"example {i} of {self._path} has {len(labels)} scores", expected=f"{len(example.items)}, one an item"
            )
        if self._config.positive == "first":
            return Example(example.query, example.items, labels, example.positives)
        best = max(range(len(labels)), key=lambda item: (labels[item], -item))
        order = [best, *(item for item in range(len(labels)) if item != best)]
        items = tuple(example.items[item] for item in order)
        positives = example.positives | {items[0]}
        return Example(example.query, items, tuple(labels[item] for item in order), positives)

    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """The document with this id."""
        return self._set.text(id)

    @property
    def fingerprint(self) -> str:
        """sha256 over the training set and the scores."""
        both = f"{self._set.fingerprint}\n{self._scores.fingerprint}\n{self._config.positive}"
        return hashlib.sha256(both.encode()).hexdigest()
