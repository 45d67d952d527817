"""Terms by number: words are hashed to 63 bits, so that no vocabulary has to be kept, agreed on or grown."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

__all__ = ["TERMS", "compact", "term_of"]

TERMS = 1 << 63  # numbers that words are hashed to


def term_of(word: str) -> int:
    """The number of a word, the same everywhere; two of a million words share one with odds of 1 to 18 million."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def compact(terms: Tensor) -> tuple[Tensor, Tensor]:
    """Small numbers for the terms that occur.

    Args:
        terms: (P,) int64.

    Returns:
        (U,) int64, the different terms, ascending; and (P,) int32, the place of each one among them.
    """
    import pyarrow as pa

    # A hash table: sorting all P would take several times as long.
    coded = pa.array(terms.numpy()).dictionary_encode()
    words = coded.dictionary.to_numpy(zero_copy_only=False)
    order = np.argsort(words)
    ranks = np.empty(len(words), np.int32)
    ranks[order] = np.arange(len(words), dtype=np.int32)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    return torch.from_numpy(words[order]), torch.from_numpy(ranks[codes])
