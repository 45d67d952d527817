"""Texts of one batch in groups of similar length, so that little is computed for padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hyperir.encode.tokenizer import TokenBatch
from hyperir.train.ragged import Ragged

__all__ = ["OVERHEAD", "group", "split"]

Array = np.ndarray[Any, Any]
# What one more pass of the transformer costs beside its tokens, in tokens: a GPU wants few large passes.
OVERHEAD = {"cpu": 32, "cuda": 1024}


def split(lengths: Array, overhead: int, most: int | None = None) -> list[Array]:
    """Put texts into groups such that padded tokens plus `overhead` a group are fewest.

    Args:
        lengths: of the texts, (N,).
        overhead: tokens that a group costs by itself.
        most: padded tokens of a group, at most, but for a single longer text.

    Returns:
        Places in `lengths`, one array a group, the longest texts first.
    """
    if not len(lengths):
        return []
    order = np.argsort(-lengths, kind="stable")
    values, counts = np.unique(lengths, return_counts=True)
    values, ends = values[::-1], np.cumsum(counts[::-1])
    starts = np.concatenate([[0], ends[:-1]])
    # best[j]: cost of the texts from the j-th distinct length on; the first group from j ends before the next cut.
    best = np.zeros(len(values) + 1)
    cut = np.zeros(len(values), dtype=np.int64)
    for j in range(len(values) - 1, -1, -1):
        costs = values[j] * (ends[j:] - starts[j]) + overhead + best[j + 1 :]
        cut[j] = j + 1 + int(np.argmin(costs))
        best[j] = costs.min()
    groups, j = [], 0
    while j < len(values):
        texts = order[starts[j] : ends[cut[j] - 1]]
        size = len(texts) if most is None else max(1, most // int(values[j]))
        groups += [texts[i : i + size] for i in range(0, len(texts), size)]
        j = int(cut[j])
    return groups


def group(ids: Ragged, numbers: Array, pad_id: int, overhead: int, most: int | None = None) -> tuple[TokenBatch, ...]:
    """Token batches of the texts with these numbers; `rows` of each are places in `numbers`."""
    lengths = ids.lengths[numbers]
    batches = []
    for places in split(lengths, overhead, most):
        own = lengths[places]
        filled = np.full((len(places), int(own.max())), pad_id, dtype=np.int64)
        for row, place in enumerate(places):
            filled[row, : own[row]] = ids[int(numbers[place])]
        mask = None
        if own.min() < own.max():
            mask = torch.from_numpy(np.arange(filled.shape[1])[None, :] < own[:, None])
        batches.append(TokenBatch(torch.from_numpy(places), torch.from_numpy(filled), mask))
    return tuple(batches)
