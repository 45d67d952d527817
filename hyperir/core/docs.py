"""Document representations, and the token states from which queries write functions."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Size, Tensor

__all__ = ["Dense", "States"]


@dataclass(frozen=True)
class Dense:
    """One vector a document.

    Args:
        vectors: (..., D), floating point; (N, D) for documents shared by all queries, (Q, K, D) for own candidates.
    """

    vectors: Tensor

    @property
    def shape(self) -> Size:
        return self.vectors.shape[:-1]

    @property
    def width(self) -> int:
        return self.vectors.shape[-1]

    def __getitem__(self, rows: Tensor | slice) -> Dense:
        return Dense(self.vectors[rows])


@dataclass(frozen=True)
class States:
    """What a text encoder makes of B texts, and all that a relevance function may read of its query.

    Args:
        tokens: (B, T, H), the last hidden states.
        mask: (B, T) boolean, true where a token is real.
        pooled: (B, D), the texts' vectors after pooling and normalisation.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor

    def __len__(self) -> int:
        return self.tokens.shape[0]
