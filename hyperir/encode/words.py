"""Words beside the transformer's vector: a sketch of a text's counted tokens, which ranks about as BM25 does.

Token t has a weight w_t = sqrt(idf_t) and, in a document, BM25's saturated count s_t; a query is `scale` times its w_t
over the sum of their squares. Of the sketch there are two forms.

An inner product reads one of random signs: token t has a direction e_t of D signs over sqrt(D), and a document is the
sum of its s_t w_t e_t, a query that of its weights times e_t. The inner product's expectation is BM25's score over what
a document of s_t = 1 for all of the query's tokens has (Robertson and Zaragoza, "The Probabilistic Relevance
Framework", 2009); its error falls with sqrt(D) (Achlioptas, "Database-friendly random projections", 2003).

A network of the query reads one of cells (`hyperir.relevance.hyper_words`): the D numbers are R rows, token t is
counted in one cell of each, drawn from its text, and a cell holds the largest s_t w_t of the tokens counted there. The
smallest of a token's cells is never below its s_t w_t, and above it only where other tokens share all of them. That is
the count-min sketch (Cormode and Muthukrishnan, "An improved data stream summary", 2005) with maxima in place of sums.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_256
from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from hyperir.core.docs import Cells
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
    special: Tensor
    signs: Tensor
    places: Tensor

    def __init__(self, config: WordsConfig, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.config = config
        special = tokenizer.special
        self.register_buffer("weights", 1.0 - special.float())
        self.register_buffer("special", special, persistent=False)
        if config.cells:
            self.register_buffer("places", _places(tokenizer.tokens, config.width, config.cells), persistent=False)
        else:
            self.register_buffer("signs", _signs(tokenizer.tokens, config.width), persistent=False)

    def forward(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T) token ids and mask, None where nothing is padded -> (B, D) float32; of queries over cells zeros."""
        if self.config.side == "document":
            weight = self._counted(ids, mask)
            return self._cells(ids, weight) if self.config.cells else self._signed(ids, weight)
        if self.config.cells:
            return self.weights.new_zeros(len(ids), self.config.width)
        return self._signed(ids, self._asked(ids, mask))

    def cells(self, ids: Tensor, mask: Tensor | None, before: int) -> Cells:
        """Where documents count a query's tokens, in vectors that have `before` numbers in front of the sketch."""
        weights = self.weights[ids]
        units = torch.where(weights > 0, 1 / weights.clamp(min=1e-6), 0.0)
        return Cells(before + self.places[ids], self._asked(ids, mask), units * self._real(ids, mask))

    def _real(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        return ~self.special[ids] if mask is None else mask & ~self.special[ids]

    def _asked(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T), of queries: `scale` times w_t over the sum of all tokens' w_t^2."""
        weight = self.weights[ids] * self._real(ids, mask)
        asked: Tensor = self.config.scale * weight / weight.square().sum(1, keepdim=True).clamp(min=1e-6)
        return asked

    def _counted(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T), of documents: s_t w_t; in signs, where they are added up, each of a token's n places has an n-th."""
        real = self._real(ids, mask)
        count = ((ids[:, :, None] == ids[:, None, :]) & real[:, None, :]).sum(-1)
        weight = self.weights[ids] * real * self._saturated(count, real.sum(1, keepdim=True))
        return weight if self.config.cells else weight / count.clamp(min=1)

    def _cells(self, ids: Tensor, weight: Tensor) -> Tensor:
        made = weight.new_zeros(len(ids), self.config.width)
        places = self.places[ids].flatten(1)
        return made.scatter_reduce(1, places, weight.repeat_interleave(self.config.cells, 1), "amax")

    def _signed(self, ids: Tensor, weight: Tensor) -> Tensor:
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


@lru_cache(maxsize=2)
def _places(tokens: tuple[str, ...], width: int, rows: int) -> Tensor:
    """(V, R) int64, a cell of each row for every token, drawn from its text: the same everywhere, as signs are."""
    digests = b"".join(shake_256(token.encode()).digest(8 * rows) for token in tokens)
    drawn = np.frombuffer(digests, dtype="<u8").reshape(-1, rows)
    starts = np.arange(rows + 1) * width // rows
    return torch.from_numpy((starts[:-1] + drawn % np.diff(starts).astype(np.uint64)).astype(np.int64))
