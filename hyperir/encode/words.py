"""Words beside the transformer's vector: a sketch of a text's counted tokens, whose inner products are about BM25.

Token t has a direction e_t of D random signs over sqrt(D), and a weight w_t = sqrt(idf_t). A document is the sum of
s_t w_t e_t, s_t being BM25's saturated count; a query is `scale` times the sum of its n_t w_t e_t, over the sum of its
n_t w_t^2. The inner product's expectation is BM25's score over what a document of s_t = 1 for all of the query's tokens
has (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009); its error falls with sqrt(D) (Achlioptas,
"Database-friendly random projections", 2003). So whatever searches vectors also finds exact words: names, numbers.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_256
from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from hyperir.encode.config import WordsConfig
from hyperir.encode.tokenizer import TextTokenizer

__all__ = ["Words"]


class Words(nn.Module):
    """The sketch of one side.

    `weights` (V,) are w_t, 1 at first but for special tokens, which have 0; `hyperir.encode.hybrid` counts them.

    Args:
        config: see :class:`~hyperir.encode.config.WordsConfig`.
        tokenizer: of the V tokens.
    """

    weights: Tensor
    signs: Tensor
    special: Tensor

    def __init__(self, config: WordsConfig, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.config = config
        special, signs = tokenizer.special, _signs(tokenizer.tokens, config.width)
        self.register_buffer("weights", 1.0 - special.float())
        self.register_buffer("special", special, persistent=False)
        self.register_buffer("signs", signs, persistent=False)

    def forward(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T) token ids and mask, None where nothing is padded -> (B, D) float32."""
        real = ~self.special[ids] if mask is None else mask & ~self.special[ids]
        weight = self.weights[ids] * real
        if self.config.side == "document":
            # A token that is there n times stands n times, each with s / n of its saturated count.
            count = ((ids[:, :, None] == ids[:, None, :]) & real[:, None, :]).sum(-1)
            weight = weight * self._saturated(count, real.sum(1, keepdim=True)) / count.clamp(min=1)
        else:
            weight = self.config.scale * weight / weight.square().sum(1, keepdim=True).clamp(min=1e-6)
        made: Tensor = torch.bmm(weight[:, None], self.signs[ids].to(weight.dtype))[:, 0]
        return made / sqrt(self.config.width)

    def _saturated(self, count: Tensor, length: Tensor) -> Tensor:
        k1, b = self.config.k1, self.config.b
        saturated: Tensor = count * (k1 + 1) / (count + k1 * (1 - b + b * length / self.config.length))
        return saturated


@lru_cache(maxsize=2)
def _signs(tokens: tuple[str, ...], width: int) -> Tensor:
    """(V, D) int8 of -1 and 1, drawn from a token's text: the same for every machine and release."""
    size = -(-width // 8)
    digests = b"".join(shake_256(token.encode()).digest(size) for token in tokens)
    bits = np.unpackbits(np.frombuffer(digests, dtype=np.uint8).reshape(-1, size), axis=1)[:, :width]
    return torch.from_numpy(bits.astype(np.int8) * 2 - 1)
