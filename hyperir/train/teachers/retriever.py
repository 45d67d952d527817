"""Any HyperIR model as a teacher: its relevance function over its own vectors of the documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch

from hyperir.core.docs import Dense
from hyperir.core.types import Row
from hyperir.encode.model import Model
from hyperir.encode.texts import document_text
from hyperir.train.teachers.cross_encoder import hash_of

__all__ = ["RetrieverTeacher"]


class RetrieverTeacher:
    """Scores of a model. Documents that several queries of a call share are encoded once.

    Args:
        model: a HyperIR model.
        batch_size: texts computed at once.
    """

    def __init__(self, model: Model, *, batch_size: int = 32) -> None:
        self._model, self._batch = model, batch_size

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the weights and the configuration."""
        config = self._model.config().model_dump_json()
        return hash_of(self._model, config)

    def __call__(self, queries: Sequence[str], documents: Sequence[Sequence[Row | str]]) -> list[list[float]]:
        """See :class:`hyperir.train.teachers.Teacher`."""
        texts: dict[str, int] = {}
        rows = [[texts.setdefault(document_text(d), len(texts)) for d in own] for own in documents]
        vectors = self._model.encode_document(list(texts), batch_size=self._batch, show_progress_bar=False).vectors
        f = self._model.encode_query(list(queries), batch_size=self._batch, show_progress_bar=False)
        scores = []
        with torch.inference_mode():
            for q, own in enumerate(rows):
                scores.append(f[q : q + 1](Dense(vectors[own]))[0].tolist() if own else [])
        return scores
