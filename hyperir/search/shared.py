"""Models over one collection, whose documents are encoded once for all that share a documents' side."""

from __future__ import annotations

from typing import Any

from hyperir.core.errors import HyperIRError
from hyperir.core.types import Encoder
from hyperir.corpus.collection import Collection
from hyperir.encode import load
from hyperir.encode.lexical import is_lexical
from hyperir.search.bare import Bare

__all__ = ["Shared", "Shelf", "counts_words"]


def counts_words(model: str) -> bool:
    """Whether a name is that of a lexical model, for which no folder stands."""
    return is_lexical(model)


class Shelf:
    """What loads models by their names, and says which of them share their documents' side."""

    def __init__(self) -> None:
        self._sides: dict[tuple[str, str | None], str] = {}

    def side(self, model: str, dtype: str | None) -> str:
        """Equal for models that make the same representations of documents; of one that fails to load its name."""
        key = model, dtype
        if key not in self._sides:
            try:
                self._sides[key] = self.load(model, dtype).fingerprint
            except HyperIRError:
                return model  # who searches by it will fail, and say so
        return self._sides[key]

    def load(self, model: str, dtype: str | None) -> Encoder[Any]:
        """The model, as `hyperir.load` gives it."""
        return load(model, dtype=dtype)


class Shared:
    """Documents of one collection, encoded once for all models that share them; of one documents' side at once.

    Args:
        shelf: loads the models.
        collection: the documents.
        batch_size: documents encoded at once.
        show_progress: tell what goes on.
    """

    def __init__(self, shelf: Shelf, collection: Collection, batch_size: int, show_progress: bool) -> None:
        self._shelf, self._collection = shelf, collection
        self._batch_size, self._show_progress = batch_size, show_progress
        self._last: tuple[str, tuple[str, str | None], Bare] | None = None

    def bare(self, model: str, dtype: str | None) -> Bare:
        """The documents under a model; asked for one documents' side after another, each is encoded once."""
        side, key = self._shelf.side(model, dtype), (model, dtype)
        if self._last is not None and self._last[:2] == (side, key):
            return self._last[2]
        found = self._shelf.load(model, dtype)
        if self._last is not None and self._last[0] == side:
            bare = self._last[2].beside(found)
        else:
            self._last = None  # two sides' documents are never held at once
            bare = Bare(found, self._collection, batch_size=self._batch_size, show_progress=self._show_progress)
        self._last = side, key, bare
        return bare
