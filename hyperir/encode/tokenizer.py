"""Texts to token ids, in batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from hyperir.core.errors import InputError

__all__ = ["TextTokenizer", "TokenBatch", "batches"]

# Tokenised to tell two tokenizers with the same vocabulary apart: case, accents, punctuation, scripts, white space.
PROBE = (
    "The Quick brown-fox isn't naïve; it's 3.14 km² away.",
    "İstanbul ＡＢＣ 東京 ñandú\tdon't\n\n  def f(x_1): return x**2",
    "",
)


@dataclass(frozen=True)
class TokenBatch:
    """Texts that are encoded together.

    Args:
        rows: which texts these are, B of them.
        ids: (B, T) int64.
        mask: (B, T) boolean, true where a token is real; None where nothing is padded.
    """

    rows: Tensor
    ids: Tensor
    mask: Tensor | None


class TextTokenizer:
    """A fast tokenizer without padding, cut to any length.

    Args:
        tokenizer: its own padding and truncation are dropped.
        pad_id: the token that fills up a batch.
    """

    def __init__(self, tokenizer: Tokenizer, pad_id: int) -> None:
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.pad_id = pad_id
        self._cut: dict[int, Tokenizer] = {}

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Every token's text, V of them, in the order of their ids; "" for ids that none has."""
        by_id = {number: token for token, number in self.tokenizer.get_vocab(with_added_tokens=True).items()}
        return tuple(by_id.get(number, "") for number in range(max(by_id, default=-1) + 1))

    @cached_property
    def special(self) -> Tensor:
        """(V,) boolean: tokens that stand for no text: padding, and what surrounds every text, as [CLS]."""
        special = torch.zeros(len(self.tokens), dtype=torch.bool)
        special[[self.pad_id, *self.tokenizer.encode("").ids]] = True
        return special

    def cut_at(self, max_length: int) -> Tokenizer:
        # One copy a length, because truncation is a state of the tokenizer and two sides or threads may share this one.
        if max_length not in self._cut:
            copy = Tokenizer.from_str(self.tokenizer.to_str())
            copy.enable_truncation(max_length)
            self._cut[max_length] = copy
        return self._cut[max_length]

    def __call__(self, texts: Sequence[str], max_length: int, *, special: bool = True) -> list[list[int]]:
        """Token ids of each text, special tokens included unless `special` is False; at least one token a text.

        Raises:
            InputError: a text that is no valid Unicode.
        """
        try:
            encoded = self.cut_at(max_length).encode_batch_fast(list(texts), add_special_tokens=special)
        except TypeError:
            raise InputError(
                "a text is no valid Unicode",
                got=repr(next((t for t in texts if not _valid(t)), ""))[:80],
                fix='text.encode("utf-8", "replace").decode() replaces what is broken',
            ) from None
        return [one.ids or [self.pad_id] for one in encoded]

    def identity(self) -> str:
        """What changes token ids, as text that stays the same across versions of the tokenizers package."""
        vocabulary = sorted(self.tokenizer.get_vocab(with_added_tokens=True).items())
        probe = [self.tokenizer.encode(text).ids for text in PROBE]
        return repr((vocabulary, probe, self.pad_id))

    def save(self, path: Path) -> None:
        self.tokenizer.save(str(path))


def batches(ids: Sequence[Sequence[int]], pad_id: int, batch_size: int, max_tokens: int | None) -> Iterator[TokenBatch]:
    """Batches of similar length, the longest first, so that a lack of memory shows at once.

    Args:
        ids: each text's token ids.
        pad_id: fills up a batch.
        batch_size: texts in a batch, at most.
        max_tokens: tokens in a batch with padding, at most, but for a single longer text; None for no limit.
    """
    lengths = np.fromiter((len(one) for one in ids), dtype=np.int64, count=len(ids))
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        size = batch_size if max_tokens is None else min(batch_size, max(1, max_tokens // longest))
        rows = order[start : start + size]
        filled = np.full((len(rows), longest), pad_id, dtype=np.int64)
        for place, row in enumerate(rows):
            filled[place, : lengths[row]] = ids[row]
        mask = None
        if lengths[rows[-1]] < longest:
            mask = torch.from_numpy(np.arange(longest)[None, :] < lengths[rows][:, None])
        yield TokenBatch(torch.from_numpy(rows), torch.from_numpy(filled), mask)
        start += size


def _valid(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
