"""Cross-encoders as teachers: query and document are read together, by a sequence classifier of transformers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from hyperir.core.errors import ModelError
from hyperir.core.types import Row
from hyperir.encode.texts import document_text, query_text
from hyperir.train.pretrained import read_pretrained

__all__ = ["CrossEncoder", "hash_of"]

MOST = 512  # tokens of a pair, where the model does not say


class CrossEncoder:
    """Scores are logits: of a single output as they are, of two the second minus the first.

    Args:
        folder: of a model in transformers' format with safetensors.
        batch_size: pairs computed at once.
        max_length: tokens of a pair, the longer text being cut first; None for as many as the model takes.

    Raises:
        ModelError: the folder holds no sequence classifier with one or two outputs.
    """

    def __init__(self, folder: Path, *, batch_size: int = 32, max_length: int | None = None) -> None:
        from transformers import AutoModelForSequenceClassification

        model, self._tokenizer = read_pretrained(
            AutoModelForSequenceClassification, folder, "a cross-encoder", "a sequence classifier with safetensors"
        )
        if model.config.num_labels not in (1, 2):
            raise ModelError(
                f"the classifier in {folder} is no cross-encoder for ranking",
                expected="1 or 2 outputs",
                got=str(model.config.num_labels),
            )
        self._model: nn.Module = model
        longest = min(getattr(model.config, "max_position_embeddings", MOST), self._tokenizer.model_max_length, MOST)
        self._length = longest if max_length is None else min(max_length, longest)
        self._batch = batch_size

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the weights and the length at which texts are cut."""
        return hash_of(self._model, self._length)

    def __call__(self, queries: Sequence[str], documents: Sequence[Sequence[Row | str]]) -> list[list[float]]:
        """See :class:`hyperir.train.teachers.Teacher`."""
        pairs = [(query_text(q), document_text(d)) for q, own in zip(queries, documents, strict=True) for d in own]
        # Of similar length together, so that little is computed for padding.
        order = sorted(range(len(pairs)), key=lambda i: -sum(map(len, pairs[i])))
        scores = [0.0] * len(pairs)
        for start in range(0, len(order), self._batch):
            some = order[start : start + self._batch]
            for place, score in zip(some, self._scores([pairs[i] for i in some]), strict=True):
                scores[place] = score
        flat = iter(scores)
        return [[next(flat) for _ in own] for own in documents]

    @torch.inference_mode()
    def _scores(self, pairs: list[tuple[str, str]]) -> list[float]:
        queries, documents = zip(*pairs, strict=True)
        encoded = self._tokenizer(
            list(queries), list(documents), padding=True, truncation=True, max_length=self._length, return_tensors="pt"
        )
        device = next(self._model.parameters()).device
        logits = self._model(**{name: tensor.to(device) for name, tensor in encoded.items()}).logits.float()
        values: list[float] = (logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]).tolist()
        return values


def hash_of(module: nn.Module, *more: object) -> str:
    """sha256 over a module's weights and whatever else changes its scores."""
    digest = hashlib.sha256(repr(more).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
