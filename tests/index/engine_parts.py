"""What engines are tried on, and what their answers are held against: brute force."""

import pytest
import torch
from torch.nn import functional

import hyperir
from hyperir.core.docs import Dense

N, D, M, K = 5000, 24, 40, 10


def make_docs():
    """Vectors of different lengths, near one another and opposite, some of them zero."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(N, D, generator=generator)
    vectors *= 0.8 + 0.4 * torch.rand(N, 1, generator=generator)
    vectors[100:120] = 0
    vectors[200:300] = -vectors[300:400]
    return Dense(vectors)


def make_vectors():
    """(M, D) queries."""
    return torch.randn(M, D, generator=torch.Generator().manual_seed(1)) * 7


def in_an_index(docs, config, folder):
    """The same documents in an index on disk whose table has the index of vectors that the engine asks."""
    if not docs.shape[0]:
        pytest.skip("an index without documents has no structures")
    dtype = str(docs.vectors.dtype).removeprefix("torch.")
    index = hyperir.Index.create(folder / "e.index", width=docs.vectors.shape[1], dtype=dtype)
    rows = [{"id": str(row), "text": ""} for row in range(docs.shape[0])]
    index.add(rows, vectors=docs.vectors, show_progress=False)
    index.build({"type": "firstorder", "centroids": 1, "engine": config}, show_progress=False)
    return index.store.covered(index.store.docs.keys)


def truth(docs, vectors, k, allowed=None):
    """(M, k) rows by brute force, ties broken by row, -1 pads."""
    scores = vectors.double() @ docs.vectors.double().T
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    order = scores.sort(dim=1, descending=True, stable=True)
    rows = order.indices.masked_fill(order.values == -torch.inf, -1)[:, :k]
    return functional.pad(rows, (0, k - rows.shape[1]), value=-1)


def recall(rows, expected):
    """The share of the expected rows that were found."""
    return float((rows[:, :, None] == expected[:, None, :]).any(1)[expected >= 0].float().mean())


def good(docs, vectors, rows, k, allowed=None):
    """The share of rows no worse than the k-th by brute force; any of those that tie will do."""
    scores = vectors.double() @ docs.vectors.double().T
    expected = truth(docs, vectors, k, allowed)
    count = int((expected[0] >= 0).sum())
    last = scores.gather(1, expected[:, count - 1 : count])
    return float((scores.gather(1, rows[:, :count]) >= last - 1e-3 * last.abs()).float().mean())


def assert_whole(rows, n, k, allowed=None):
    count = min(k, n if allowed is None else int(allowed.sum()))
    assert rows.shape[1] == k
    assert rows.dtype == torch.int64
    assert (rows[:, :count] >= 0).all(), "as many rows as may come back"
    assert (rows[:, count:] == -1).all()
    assert all(len(set(row)) == count for row in rows[:, :count].tolist()), "each once"
    if allowed is not None:
        assert allowed[rows[:, :count]].all()
