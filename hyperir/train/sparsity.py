"""How many terms texts keep while weights of terms are trained: the mean of each side, for the log."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hyperir.core.docs import States
from hyperir.encode.model import Model

__all__ = ["Sparsity"]


class Sparsity:
    """Counts the terms of every text that is encoded in training; of a model of vectors nothing.

    Args:
        model: what learns.
    """

    def __init__(self, model: Model) -> None:
        self._counts: dict[str, list[Tensor]] = {}
        for side, encoder in (("query", model.query), ("document", model.document)):
            if encoder.terms is not None:
                self._counts[side] = []
                encoder.register_forward_hook(self._note)
        self._sides = {id(model.query): "query", id(model.document): "document"}

    def take(self) -> dict[str, float]:
        """Terms a text by side, `terms_query` and `terms_document`, since they were taken last."""
        means = {f"terms_{side}": float(torch.cat(counts).mean()) for side, counts in self._counts.items() if counts}
        self._counts = {side: [] for side in self._counts}
        return means

    def _note(self, module: nn.Module, inputs: Any, states: States) -> None:
        if module.training:
            self._counts[self._sides[id(module)]].append((states.pooled.detach() != 0).sum(1).float())
