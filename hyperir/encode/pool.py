"""Poolings: from a text's token states to its vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
from torch import Tensor

__all__ = ["POOLINGS", "Pooling", "mean", "pooled"]

Pooling: TypeAlias = Literal["cls", "mean", "mean_unmasked", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


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


def max_(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The largest of each number over real tokens."""
    return (tokens if mask is None else tokens.masked_fill(~mask[..., None], -torch.inf)).amax(1)


def mean_sqrt_len_tokens(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The sum over real tokens, over the square root of their number."""
    length = torch.full((len(tokens), 1), tokens.shape[1]) if mask is None else mask.sum(1, keepdim=True)
    return mean(tokens, mask) * length.to(tokens).sqrt()


def weightedmean(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over real tokens, where the first weighs 1, the second 2 and so on."""
    weight = torch.arange(1, tokens.shape[1] + 1, dtype=tokens.dtype, device=tokens.device).expand(tokens.shape[:2])
    weight = weight if mask is None else weight * mask
    return (tokens * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)


def lasttoken(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """The last real token's state."""
    if mask is None:
        return tokens[:, -1]
    return tokens[torch.arange(len(tokens), device=tokens.device), mask.sum(1) - 1]


# (B, T, H) states and (B, T) mask, None where nothing is padded -> (B, H). Names are those of sentence-transformers.
POOLINGS: Mapping[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "cls": cls,
    "mean": mean,
    "mean_unmasked": mean_unmasked,
    "max": max_,
    "mean_sqrt_len_tokens": mean_sqrt_len_tokens,
    "weightedmean": weightedmean,
    "lasttoken": lasttoken,
}


def pooled(names: str | tuple[str, ...], tokens: Tensor, mask: Tensor | None) -> Tensor:
    """(B, T, H) states -> (B, H), or (B, k * H) of k poolings side by side."""
    if isinstance(names, str):
        return POOLINGS[names](tokens, mask)
    return torch.cat([POOLINGS[name](tokens, mask) for name in names], dim=-1)
