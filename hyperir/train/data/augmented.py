"""A training set with changed texts beside its own: more examples, or harder ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from hyperir.core.config import Config
from hyperir.core.types import Row
from hyperir.train.augmentations import AUGMENTATIONS, Augmentation
from hyperir.train.data import SETS
from hyperir.train.data.example import Example, TrainingSet

__all__ = ["MARK", "AugmentedSet", "AugmentedSetConfig"]

MARK = "\x1f"  # stands between a document's id and the number of a text made of it
Changes = tuple[Annotated[SerializeAsAny[Config], BeforeValidator(AUGMENTATIONS.parse)], ...]


class AugmentedSetConfig(Config):
    """Configuration of an augmented set.

    Args:
        of: the training set, a member of `SETS`.
        queries: members of `AUGMENTATIONS`, one after the other.
        documents: the same for documents, which then are other ones than an index holds.
        copies: changed examples that are made of each.
        original: the example as it is stays as well.
        seed: of all that is drawn.
    """

    type: Literal["augmented"] = "augmented"
    of: Annotated[SerializeAsAny[Config], BeforeValidator(SETS.parse)]
    queries: Changes = ()
    documents: Changes = ()
    copies: int = Field(1, ge=1)
    original: bool = True
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _something(self) -> AugmentedSetConfig:
        if not self.queries and not self.documents:
            raise ValueError("what is changed? augmentations of queries, of documents, or of both")
        return self


class AugmentedSet:
    """Of every example itself, where it stays, and then its changed copies.

    What is drawn depends on the seed, the copy, and the example or the document alone, so that a training that was
    stopped goes on with the same texts. Labels stay. All texts of a relevant document are relevant.
    """

    Config = AugmentedSetConfig
    understood = "another training set, some of whose texts are changed"

    def __init__(self, config: AugmentedSetConfig) -> None:
        self._config = config
        self.of: TrainingSet = SETS.build(config.of)
        self._queries = [AUGMENTATIONS.build(each) for each in config.queries]
        self._documents = [AUGMENTATIONS.build(each) for each in config.documents]
        self._each = config.copies + config.original

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Never: it is made of another set."""
        return False

    @property
    def has_own_documents(self) -> bool:
        """Whether documents are changed, too."""
        return bool(self._documents)

    def __len__(self) -> int:
        return len(self.of) * self._each

    def __getitem__(self, i: int) -> Example:
        number, copy = divmod(i, self._each)
        copy += not self._config.original  # 0 is the example itself
        example = self.of[number]
        positives = example.positives | {example.items[0]}
        if self._documents:
            positives |= {f"{id_}{MARK}{each}" for id_ in positives for each in range(1, self._config.copies + 1)}
        if not copy:
            return Example(example.query, example.items, example.labels, positives)
        query = _changed(example.query, self._queries, Random(f"{self._config.seed} query {number} {copy}"))
        items = tuple(f"{id_}{MARK}{copy}" for id_ in example.items) if self._documents else example.items
        return Example(query, items, example.labels, positives)

    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """The document with this id, or what was made of it."""
        whole, mark, copy = id.rpartition(MARK)
        if not mark or not self._documents:
            return self.of.text(id)
        found = self.of.text(whole)
        draw = Random(f"{self._config.seed} document {whole} {copy}")
        if isinstance(found, str):
            return _changed(found, self._documents, draw)
        changed: Any = found | {"id": id, "text": _changed(found["text"], self._documents, draw)}
        return changed  # type: ignore[no-any-return]

    @property
    def fingerprint(self) -> str:
        """sha256 over the set and all that changes it."""
        what = self._config.model_dump_json(exclude={"of"})
        return hashlib.sha256(f"{self.of.fingerprint}\n{what}".encode()).hexdigest()


def _changed(text: str, changes: Sequence[Augmentation], draw: Random) -> str:
    for change in changes:
        text = change(text, draw)
    return text
