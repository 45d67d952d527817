"""What a side that makes a vector of every token does with token ids: markers, filling up, and what gets no vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hyperir.core.errors import ModelError
from hyperir.encode.config import TokensConfig
from hyperir.encode.tokenizer import TextTokenizer

__all__ = ["TokenRules"]


class TokenRules:
    """The rules of one side, in token ids.

    Args:
        config: names tokens.
        tokenizer: knows their ids.

    Raises:
        ModelError: it does not know the marker, or what fills up.
    """

    def __init__(self, config: TokensConfig, tokenizer: TextTokenizer) -> None:
        self.config = config
        self.marker = _id(config.marker, tokenizer)
        self.fill = _id(config.fill, tokenizer)
        ids = (tokenizer.tokenizer.token_to_id(token) for token in config.skip)
        self.skip = torch.tensor(sorted(id_ for id_ in ids if id_ is not None), dtype=torch.int64)

    def room(self, max_length: int) -> int:
        """How many tokens of a text fit beside the marker."""
        return max_length - (self.marker is not None)

    def arranged(self, ids: Sequence[Sequence[int]], max_length: int) -> list[list[int]]:
        """Each text's token ids with the marker in the second place, filled up to `max_length` where that is asked."""
        marker = [] if self.marker is None else [self.marker]
        marked = [[*one[:1], *marker, *one[1:]] for one in ids]
        if self.fill is None:
            return marked
        return [one + [self.fill] * (max_length - len(one)) for one in marked]

    def attended(self, ids: Tensor, mask: Tensor | None) -> Tensor | None:
        """(B, T) what the transformer attends to: not to the tokens behind the last one that does not fill up.

        Args:
            ids: (B, T).
            mask: (B, T) real tokens; None where nothing is padded.
        """
        if self.fill is None or self.config.attend:
            return mask
        own = ids != self.fill if mask is None else (ids != self.fill) & mask
        return own.flip(1).cummax(1).values.flip(1)

    def kept(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T) which tokens get a vector; of a text that has no others, the first one does."""
        real = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask
        if not len(self.skip):
            return real
        kept = real & ~torch.isin(ids, self.skip.to(ids.device))
        kept[:, 0] |= ~kept.any(1)
        return kept


def _id(token: str, tokenizer: TextTokenizer) -> int | None:
    if not token:
        return None
    found = tokenizer.tokenizer.token_to_id(token)
    if found is None:
        raise ModelError(f"the tokenizer does not know the token {token!r}", fix="name a token of its vocabulary")
    return int(found)
