"""A lexical model as a teacher: weak supervision, for models that learn to search without judgements."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

from hyperir.core.types import Row
from hyperir.encode.lexical import LexicalModel, tensors_of

__all__ = ["LexicalTeacher"]


class LexicalTeacher:
    """Scores of BM25 or TF-IDF.

    Args:
        model: with the statistics of a collection, as `LexicalModel.fitted` gives it.
    """

    def __init__(self, model: LexicalModel) -> None:
        self._model = model

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the configuration and the statistics."""
        digest = hashlib.sha256(self._model.config.model_dump_json().encode())
        if self._model.statistics is not None:
            for tensor in tensors_of(self._model.statistics).values():
                digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def __call__(self, queries: Sequence[str], documents: Sequence[Sequence[Row | str]]) -> list[list[float]]:
        """See :class:`hyperir.train.teachers.Teacher`. Raises InputError where the statistics are not known."""
        f = self._model.encode_query(list(queries))
        return [
            f[q : q + 1](self._model.encode_document(list(own), show_progress_bar=False))[0].tolist()
            for q, own in enumerate(documents)
        ]
