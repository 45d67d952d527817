"""Token states that know their neighbours: one layer of self-attention over a narrow projection, with positions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["Context"]

PERIOD = 1000.0  # tokens of the slowest wave, over 2 pi


class Context(nn.Module):
    """(B, T, H) -> (B, T, C): LayerNorm(W x_t + c) + sines of t, then one layer of a transformer.

    Vaswani et al., "Attention Is All You Need", NIPS 2017, sections 3.1 to 3.5. A bi-encoder's last states
    say what a text is about, and little of which word stands before which ("A without B"); this layer learns that where
    a head needs it. Normalised before each part, GELU, feed-forward of 2 C, no dropout.

    Args:
        state_width: H, the width of the token states.
        width: C, even.
        heads: of attention.
    """

    def __init__(self, state_width: int, width: int, heads: int = 4) -> None:
        super().__init__()
        self.read = nn.Linear(state_width, width)
        self.norm = nn.LayerNorm(width)
        self.layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, T, H) and (B, T), true where a token is real -> (B, T, C). A text needs at least one real token."""
        narrow = self.norm(self.read(tokens))
        made: Tensor = self.layer(narrow + _positions(*narrow.shape[1:]).to(narrow), src_key_padding_mask=~mask)
        return made


def _positions(length: int, width: int) -> Tensor:
    """(T, C) sines and cosines of the place, in turn."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(PERIOD) / width))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
