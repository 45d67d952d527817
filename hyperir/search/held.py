"""Encoded documents as they are held in memory: of any kind, put together block by block."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch

from hyperir.core.config import Config
from hyperir.core.docs import Dense, Multi, Sparse
from hyperir.core.types import Encoder, Strategy
from hyperir.index.strategies import STRATEGIES, Buildable, check_serves

__all__ = ["Held"]


class Held:
    """N documents: vectors in one block of memory; or several vectors of each, or weights of terms, in parts.

    Args:
        encoder: whose documents they are.
        documents: N.
    """

    def __init__(self, encoder: Encoder[Any], documents: int) -> None:
        none = encoder.encode_document([], show_progress_bar=False)
        self._vectors = torch.empty(documents, encoder.width) if isinstance(none, Dense) else None
        self._parts: list[Any] = [none]

    @property
    def planned(self) -> int:
        """Bytes that will be held; of tokens and terms nobody knows how many there will be."""
        return 0 if self._vectors is None else self._vectors.nbytes

    def put(self, start: int, docs: Dense | Multi | Sparse) -> None:
        """Some documents from the place `start` on; blocks come in order."""
        if self._vectors is not None and isinstance(docs, Dense):
            self._vectors[start : start + len(docs.vectors)] = docs.vectors
        else:
            self._parts.append(docs)

    def searched(self, strategy: Mapping[str, Any] | Config | str) -> tuple[Strategy[Any], int]:
        """A strategy over them, and the bytes of what it built beside them.

        Raises:
            CapabilityError: it does not serve documents of this kind.
        """
        config = STRATEGIES.parse(strategy)
        check_serves(config, {Dense: "dense", Multi: "multi", Sparse: "sparse"}[type(self.docs)])
        member: Any = STRATEGIES[str(config.model_dump(include={"type"})["type"])]
        if not isinstance(member, Buildable):
            return STRATEGIES.build(config, docs=self.docs), 0
        built = member.build(config, self.docs)
        size = sum(tensor.nbytes for tensor in built.values())
        return STRATEGIES.build(config, docs=self.docs, built=built), size

    @cached_property
    def docs(self) -> Dense | Multi | Sparse:
        """All of them, (N,)."""
        if self._vectors is not None:
            return Dense(self._vectors)
        whole: Multi | Sparse = type(self._parts[0]).cat(self._parts)
        return whole
