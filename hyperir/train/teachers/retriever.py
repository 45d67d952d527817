"""Any HyperIR model as a teacher: its relevance function over its own vectors of the documents."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import torch

from hyperir.core.docs import Dense, Sparse
from hyperir.core.types import Row
from hyperir.encode.model import Model
from hyperir.encode.texts import document_text
from hyperir.train.teachers.cross_encoder import hash_of

__all__ = ["RetrieverTeacher"]


class RetrieverTeacher:
    """Scores of a model.

    Args:
        model: a HyperIR model.
        batch_size: texts computed at once.
        remember: documents whose vectors are kept, because other queries have them too.
    """

    def __init__(self, model: Model, *, batch_size: int = 32, remember: int = 100_000) -> None:
        self._model, self._batch, self._remember = model, batch_size, remember
        self._known: dict[bytes, Dense | Sparse] = {}  # of one document each

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the weights and the configuration."""
        config = self._model.config().model_dump_json()
        return hash_of(self._model, config)

    def __call__(self, queries: Sequence[str], documents: Sequence[Sequence[Row | str]]) -> list[list[float]]:
        """See :class:`hyperir.train.teachers.Teacher`."""
        keys = [[hashlib.sha256(document_text(d).encode()).digest() for d in own] for own in documents]
        flat = [document for own in documents for document in own]
        self._encode(dict(zip((key for own in keys for key in own), flat, strict=True)))
        f = self._model.encode_query(list(queries), batch_size=self._batch, show_progress_bar=False)
        scores: list[list[float]] = []
        with torch.inference_mode():
            for q, own in enumerate(keys):
                docs = _joined([self._known[key] for key in own])
                scores.append([] if docs is None else f[q : q + 1](docs)[0].tolist())
        return scores

    def _encode(self, documents: dict[bytes, Row | str]) -> None:
        """Encode those whose vectors are not known yet."""
        if len(self._known) + len(documents) > self._remember:
            self._known = {}
        new = [key for key in documents if key not in self._known]
        encoded = self._model.encode_document(
            [documents[key] for key in new], batch_size=self._batch, show_progress_bar=False
        )
        self._known.update((key, encoded[i : i + 1]) for i, key in enumerate(new))


def _joined(docs: list[Dense | Sparse]) -> Dense | Sparse | None:
    """One batch of single documents; None without any."""
    sparse = [each for each in docs if isinstance(each, Sparse)]
    vectors = [each.vectors for each in docs if isinstance(each, Dense)]
    return Sparse.cat(sparse) if sparse else Dense(torch.cat(vectors)) if vectors else None
