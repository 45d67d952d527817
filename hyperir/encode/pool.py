"""Poolings: from a text's token states to its vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

__all__ = ["POOLINGS", "cls", "mean", "mean_unmasked"]


def cls(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The first token's state. Texts are padded on the right, so it is never padding."""
    return tokens[:, 0]


def mean(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over real tokens."""
    if mask is None:
        return tokens.mean(1)
    weight = mask[..., None].to(tokens.dtype)
    return (tokens * weight).sum(1) / weight.sum(1)


def mean_unmasked(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The sum over all tokens, padding too, over the number of real ones; only for checkpoints trained that way.

    The pooling "mean" of the official Hypencoder code. A text's vector then depends on how far its batch was padded,
    so on its neighbours and on the batch size.
    """
    if mask is None:
        return tokens.mean(1)
    return tokens.sum(1) / mask.sum(1, keepdim=True)


# (B, T, H) states and (B, T) mask, None where nothing is padded -> (B, H).
POOLINGS: Mapping[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "cls": cls,
    "mean": mean,
    "mean_unmasked": mean_unmasked,
}
