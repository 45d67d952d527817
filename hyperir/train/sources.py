"""Where a batch's queries and documents come from: token ids, states computed once, or an index's vectors.

A source is made once for all texts, and called with numbers of texts; what it gives is a part of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from hyperir.core.docs import Cells, Dense, States
from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.tokenizer import TokenBatch
from hyperir.train.cache import Cache
from hyperir.train.grouping import OVERHEAD, group
from hyperir.train.ragged import Ragged

__all__ = ["Source", "StateSource", "TokenSource", "VectorSource", "compute_states", "tokenize"]

Array = np.ndarray[Any, Any]
BLOCK = 4096  # texts tokenised at once
Part = tuple[TokenBatch, ...] | States | Tensor  # of B texts: token ids in groups, states, or (B, D) vectors


class Source(Protocol):
    """Parts of batches by the texts' numbers."""

    def __call__(self, numbers: Array) -> Part: ...


@dataclass(frozen=True)
class TokenSource:
    """Token ids, in groups of similar length, for a transformer that learns.

    Args:
        ids: of all texts.
        pad_id: fills up a group.
        overhead: see `hyperir.train.grouping.split`.
        most: tokens of a group, at most.
    """

    ids: Ragged
    pad_id: int
    overhead: int
    most: int | None = None

    def __call__(self, numbers: Array) -> tuple[TokenBatch, ...]:
        return group(self.ids, numbers, self.pad_id, self.overhead, self.most)

    @classmethod
    def of(
        cls,
        encoder: TextEncoder,
        texts: Sequence[Any],
        as_text: Callable[[Any], str],
        cache: Cache,
        what: str,
        most: int | None = None,
    ) -> TokenSource:
        """Tokenise all texts, or take them from the cache."""
        ids = tokenize(encoder, texts, as_text, cache, what)
        return cls(ids, encoder.backbone.tokenizer.pad_id, OVERHEAD[encoder.backbone.device.type], most)


@dataclass(frozen=True)
class StateSource:
    """States that were computed once, for a transformer that stays.

    Args:
        tokens: (total, H) states of all texts' tokens.
        pooled: (N, D).
        cells: where documents count the texts' tokens, of an encoder over such documents.
    """

    tokens: Ragged
    pooled: Array
    cells: CellSource | None = None

    def __call__(self, numbers: Array) -> States:
        lengths = self.tokens.lengths[numbers]
        width = self.tokens.values.shape[1]
        tokens = np.zeros((len(numbers), int(lengths.max(initial=1)), width), dtype=np.float32)
        for row, number in enumerate(numbers):
            tokens[row, : lengths[row]] = self.tokens[int(number)]
        mask = np.arange(tokens.shape[1])[None, :] < lengths[:, None]
        states = States(torch.from_numpy(tokens), torch.from_numpy(mask), torch.from_numpy(self.pooled[numbers]))
        return states if self.cells is None else replace(states, cells=self.cells(numbers, states.mask))


@dataclass(frozen=True)
class CellSource:
    """Where documents count the tokens of texts, from the tokens' numbers alone.

    Args:
        ids: of all texts.
        encoder: the queries' side.
    """

    ids: Ragged
    encoder: TextEncoder

    def __call__(self, numbers: Array, mask: Tensor) -> Cells:
        ids = np.zeros(mask.shape, dtype=np.int64)
        for row, number in enumerate(numbers):
            ids[row, : self.ids.lengths[number]] = self.ids[int(number)]
        device = self.encoder.backbone.device
        return self.encoder.cells(torch.from_numpy(ids).to(device), mask.to(device)).to(mask.device)


@dataclass(frozen=True)
class VectorSource:
    """Vectors of an index, read as they are needed.

    Args:
        docs: all documents of the index.
        rows: (N,) where each text's document stands there.
    """

    docs: Any  # hyperir.index.stored.StoredDocs, or Dense
    rows: Tensor

    def __call__(self, numbers: Array) -> Tensor:
        found: Dense = self.docs[self.rows[torch.from_numpy(np.asarray(numbers, dtype=np.int64))]]
        return found.vectors.float()


def tokenize(
    encoder: TextEncoder, texts: Sequence[Any], as_text: Callable[[Any], str], cache: Cache, what: str
) -> Ragged:
    """Token ids of all texts, int32."""
    key = cache.key(encoder, texts, as_text, "tokens")
    stored = cache.read(key, ("values", "lengths"))
    if stored is not None:
        return Ragged(stored["values"], stored["lengths"])
    values, lengths = [], []
    with Progress("Tokenising", len(texts), what) as bar:
        for start in range(0, len(texts), BLOCK):
            block = [as_text(text) for text in texts[start : start + BLOCK]]
            ids = encoder.tokenize(block)
            lengths += [len(one) for one in ids]
            values.append(np.concatenate([np.array(one, dtype=np.int32) for one in ids]))
            bar.advance(len(block))
    flat = np.concatenate(values) if values else np.empty(0, dtype=np.int32)
    written = cache.write(key, {"values": flat, "lengths": np.array(lengths, dtype=np.int64)})
    return Ragged(written["values"], written["lengths"])


def compute_states(encoder: TextEncoder, texts: Sequence[str], cache: Cache, dtype: str = "float16") -> StateSource:
    """States of all queries under a transformer that stays as it is, or from the cache.

    Args:
        encoder: the queries' side.
        texts: the queries.
        cache: keeps them in memory or on disk.
        dtype: of the token states as kept; float16 halves the room they take.

    Raises:
        InputError: a state is too large for float16.
    """
    key = cache.key(encoder, texts, str, f"states {dtype}")
    stored = cache.read(key, ("tokens", "lengths", "pooled"))
    if stored is None:
        stored = cache.write(key, _computed(encoder, texts, cache, dtype))
    cells = CellSource(tokenize(encoder, texts, str, cache, "queries"), encoder) if encoder.reads_cells else None
    return StateSource(Ragged(stored["tokens"], stored["lengths"]), stored["pooled"], cells)


def _computed(encoder: TextEncoder, texts: Sequence[str], cache: Cache, dtype: str) -> dict[str, Array]:
    ids = tokenize(encoder, texts, str, cache, "queries")
    starts = np.concatenate([[0], np.cumsum(ids.lengths)])
    tokens = cache.room((int(starts[-1]), encoder.backbone.width), dtype)
    pooled = np.empty((len(texts), encoder.width), dtype=np.float32)
    overhead = OVERHEAD[encoder.backbone.device.type]
    learning = encoder.training
    encoder.eval()
    with Progress("Encoding", len(texts), "queries") as bar, torch.inference_mode(), np.errstate(over="ignore"):
        for first in range(0, len(texts), BLOCK):
            numbers = np.arange(first, min(first + BLOCK, len(texts)))
            for batch in group(ids, numbers, encoder.backbone.tokenizer.pad_id, overhead, 1024):
                states = encoder(batch)
                found, lengths = states.tokens.cpu().numpy(), states.mask.sum(1).tolist()
                for row, number in enumerate((batch.rows + first).tolist()):
                    tokens[starts[number] : starts[number + 1]] = found[row, : lengths[row]]
                    pooled[number] = states.pooled[row].cpu().numpy()
                bar.advance(len(lengths))
    encoder.train(learning)
    if not np.isfinite(tokens).all():
        raise InputError("token states are too large for float16", fix="run.states=float32")
    return {"tokens": tokens, "lengths": ids.lengths, "pooled": pooled}
